using System.Diagnostics;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>How fast placements decode, in turns, behind about as many positions as the cost model's predictions are for.</summary>
internal static class Decoding
{
    /// <summary>Positions in the middle of what is decoded.</summary>
    public const int Context = 512;

    /// <summary>
    /// Steps of a window. A round's time is cut into windows, and the median of all windows is the result: what else the machine does
    /// for a moment spoils windows, not the result.
    /// </summary>
    private const int WindowSteps = 8;

    /// <summary>Decodes with each placement in turn.</summary>
    /// <param name="variants">The placements.</param>
    /// <param name="streams">Streams at a time.</param>
    /// <param name="tokens">Tokens of each per round.</param>
    /// <param name="rounds">Rounds that count; before them each placement decodes until it has done so for <paramref name="warm"/>.</param>
    /// <param name="warm">Time to warm up.</param>
    /// <param name="sent">Bytes that have been sent so far; null if they are not counted.</param>
    /// <param name="between">Runs before the rounds, and after each.</param>
    public static async Task<IReadOnlyList<Decoded>> MeasureAsync(
        IReadOnlyList<Variant> variants, int streams, int tokens, int rounds, TimeSpan warm, Func<long?> sent, Func<Task> between, CancellationToken cancellationToken)
    {
        foreach (var variant in variants)
        {
            for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < warm;)
                await RoundAsync(variant, streams, tokens, sent, cancellationToken);
        }

        var windows = variants.Select(_ => new List<double>()).ToArray();
        var bytes = variants.Select(_ => new List<double>()).ToArray();
        await between();
        for (var round = 0; round < rounds; round++)
        {
            for (var v = 0; v < variants.Count; v++)
            {
                var (rates, perToken) = await RoundAsync(variants[v], streams, tokens, sent, cancellationToken);
                windows[v].AddRange(rates);
                if (perToken is { } counted)
                    bytes[v].Add(counted);
            }

            await between();
        }

        return [.. variants.Select((_, v) => new Decoded(Median(windows[v]), bytes[v].Count == 0 ? null : Median(bytes[v])))];
    }

    /// <summary>The middle of some values.</summary>
    public static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>Tokens per second in each window in which all streams decode, and bytes sent per token meanwhile.</summary>
    private static async Task<(IReadOnlyList<double> Rates, double? Bytes)> RoundAsync(Variant variant, int streams, int tokens, Func<long?> sent, CancellationToken cancellationToken)
    {
        var round = new Round(streams, sent);
        await Task.WhenAll(Enumerable.Range(0, streams).Select(i => ReadAsync(variant, i, tokens, round, cancellationToken)));
        return (round.Rates(WindowSteps * streams), round.Bytes);
    }

    private static async Task ReadAsync(Variant variant, int number, int tokens, Round round, CancellationToken cancellationToken)
    {
        // The same prompt in every round: its keys and values are kept.
        var random = new Random(number);
        var request = new GenerateRequest
        {
            Model = variant.Model,
            TokenIds = new TokenIds { Ids = { Enumerable.Range(0, Context - (tokens / 2)).Select(_ => random.Next(300, 30_000)) } },
            Sampling = new SamplingOptions { MaxTokens = tokens, IgnoreEos = true, Temperature = 1, Seed = (ulong)number },
        };
        using var call = variant.Entry.Inference.Generate(request, cancellationToken: cancellationToken);
        for (var first = true; await call.ResponseStream.MoveNext(cancellationToken); first = false)
            round.Add(first, call.ResponseStream.Current.TokenIds.Count);
        round.End();
    }

    /// <summary>The tokens of a round, as they come, while all streams decode.</summary>
    private sealed class Round(int streams, Func<long?> sent)
    {
        private readonly Lock _gate = new();
        private readonly List<long> _times = [];
        private int _started;
        private bool _ended;
        private long? _before, _after;

        public double? Bytes => (_after - _before) / (double)(_times.Count - 1);

        public void Add(bool first, int tokens)
        {
            lock (_gate)
            {
                if (first && ++_started == streams)
                    _before = sent();
                if (_started < streams || _ended)
                    return;
                var now = Stopwatch.GetTimestamp();
                for (var i = 0; i < tokens; i++)
                    _times.Add(now);
            }
        }

        public void End()
        {
            lock (_gate)
            {
                if (!_ended)
                    _after = sent();
                _ended = true;
            }
        }

        public List<double> Rates(int window)
        {
            var rates = new List<double>();
            for (var from = 0; from + window < _times.Count; from += window)
                rates.Add(window / Stopwatch.GetElapsedTime(_times[from], _times[from + window]).TotalSeconds);
            return rates;
        }
    }
}

/// <summary>What decoding gave.</summary>
/// <param name="Rate">Tokens per second of all streams, the median of the windows.</param>
/// <param name="BytesPerToken">Bytes sent per token, the median of the rounds; null if they were not counted.</param>
internal sealed record Decoded(double Rate, double? BytesPerToken);
