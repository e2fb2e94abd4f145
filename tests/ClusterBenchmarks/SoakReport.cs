using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Slm.Cluster.Tests;

namespace Slm.ClusterBenchmarks;

/// <summary>What came of a soak.</summary>
internal sealed class SoakReport
{
    private readonly Lock _gate = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<(long From, long To, double PauseMs)> _streams = [];
    private readonly List<(string Kind, long From, long To)> _faults = [];
    private readonly Dictionary<StatusCode, int> _codes = [];
    private readonly List<string> _wrong = [];
    private readonly List<string> _failed = [];
    private long _tokens;
    private double _seconds;

    /// <summary>Time since the beginning.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>Mean time of an answer.</summary>
    public double MeanSeconds
    {
        get
        {
            lock (_gate)
                return _streams.Count == 0 ? 1 : _seconds / _streams.Count;
        }
    }

    /// <summary>No wrong token, and no end but the right one or UNAVAILABLE.</summary>
    public bool IsGood => _wrong.Count + _failed.Count == 0;

    /// <summary>The state in a line.</summary>
    public string Line
    {
        get
        {
            lock (_gate)
                return string.Create(CultureInfo.InvariantCulture, $"{_streams.Count} streams, {_tokens} tokens, {_wrong.Count} wrong, {string.Join(", ", _codes.Select(c => $"{c.Value} {c.Key}"))}");
        }
    }

    /// <summary>An answer has ended.</summary>
    public void Add(Answer answer, long started, bool right, string what)
    {
        lock (_gate)
        {
            _tokens += answer.TokenIds.Count;
            if (!right)
                _wrong.Add(what);
            if (answer.Error is { } error)
            {
                _codes[error.StatusCode] = _codes.GetValueOrDefault(error.StatusCode) + 1;
                if (error.StatusCode != StatusCode.Unavailable)
                    _failed.Add(what);
                return;
            }

            _seconds += answer.Took.TotalSeconds;
            _streams.Add((started, Stopwatch.GetTimestamp(), answer.LongestPause.TotalMilliseconds));
        }
    }

    /// <summary>A fault is over.</summary>
    public void Add(string kind, long started)
    {
        lock (_gate)
            _faults.Add((kind, started, Stopwatch.GetTimestamp()));
    }

    /// <summary>Something did not go as it must.</summary>
    public void Fail(string what)
    {
        lock (_gate)
            _failed.Add(what);
    }

    /// <summary>Prints all of it as Markdown.</summary>
    public void Print(MemoryWatch memory, string left)
    {
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Elapsed.TotalMinutes:0.0} minutes: {_streams.Count} streams ended, {_tokens} tokens, {_faults.Count} faults; wrong answers: {_wrong.Count}; other failures: {_failed.Count}; errors by code: {(_codes.Count == 0 ? "none" : string.Join(", ", _codes.Select(c => $"{c.Value} {c.Key}")))}; left at the end: {left}"));
        Console.WriteLine();
        Console.WriteLine("| fault | times | streams under way | longest pause p50 ms | p99 ms | longest ms |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var kind in _faults.GroupBy(f => f.Kind).OrderBy(k => k.Key, StringComparer.Ordinal))
            Row(kind.Key, kind.Count(), _streams.Where(s => kind.Any(f => s.From < f.To && s.To > f.From)));
        Row("none", 0, _streams.Where(s => !_faults.Any(f => s.From < f.To && s.To > f.From)));
        Row("all", _faults.Count, _streams);
        Console.WriteLine();
        memory.Print();
        foreach (var line in _wrong.Concat(_failed).Take(20))
            Console.WriteLine($"WRONG {line}");
    }

    private static void Row(string name, int times, IEnumerable<(long From, long To, double PauseMs)> streams)
    {
        var pauses = streams.Select(s => s.PauseMs).Order().ToArray();
        double At(double share) => pauses.Length == 0 ? 0 : pauses[Math.Min(pauses.Length - 1, (int)(share * pauses.Length))];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {times} | {pauses.Length} | {At(0.5):0} | {At(0.99):0} | {At(1):0} |"));
    }
}
