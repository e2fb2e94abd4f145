using System.Buffers;
using Slm.Contracts.Grains;
using Slm.Engine.Experts;
using Slm.Engine.Wire;

namespace Slm.Inference.Engines;

/// <summary>
/// Groups of experts behind grains. The thread that computes the stage waits for their answers, so groups compute on another one
/// (<see cref="ExpertCompute"/>).
/// </summary>
internal sealed class GrainExpertChannel : IExpertChannel
{
    private readonly IExpertGroupGrain[] _grains;
    private readonly WireFormat _format, _results;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <param name="groups">What each group holds, and its grain.</param>
    /// <param name="format">How rows travel to them.</param>
    /// <param name="results">How their results travel back.</param>
    /// <param name="timeout">When a group that does not answer counts as lost.</param>
    /// <param name="time">Clock.</param>
    public GrainExpertChannel(IReadOnlyList<(ExpertSlice Slice, IExpertGroupGrain Grain)> groups, WireFormat format, WireFormat results, TimeSpan timeout, TimeProvider time)
    {
        Groups = [.. groups.Select(group => group.Slice)];
        _grains = [.. groups.Select(group => group.Grain)];
        (_format, _results, _timeout, _time) = (format, results, timeout, time);
    }

    public IReadOnlyList<ExpertSlice> Groups { get; }

    /// <summary>What a stage needs to compute with others' experts.</summary>
    /// <exception cref="ArgumentException">An expert is listed twice or negative, or a format is not known.</exception>
    public static RemoteExperts Open(StageExperts experts, IGrainFactory grains, TimeProvider time)
    {
        foreach (var format in new[] { experts.Format, experts.ResultFormat })
        {
            if (!Enum.IsDefined((WireFormat)format))
                throw new ArgumentException($"Rows cannot travel in format {format}; F32 (1), F16 (2) and Q8 (3) are known.", nameof(experts));
        }

        var groups = experts.Groups.Select(group => (ExpertSlice.Of(group.Experts), grains.GetGrain<IExpertGroupGrain>(group.Key))).ToArray();
        var channel = new GrainExpertChannel(groups, (WireFormat)experts.Format, (WireFormat)experts.ResultFormat, TimeSpan.FromMilliseconds(experts.TimeoutMilliseconds), time);
        return new RemoteExperts(channel, ExpertSlice.Of(experts.Local));
    }

    /// <summary>From the next step on, another grain holds what a group held.</summary>
    public void Replace(int group, IExpertGroupGrain grain) => Volatile.Write(ref _grains[group], grain);

    public IExpertCall Begin(int group, ExpertVisits visits, CancellationToken cancellationToken)
    {
        var bytes = RowEncoding.RowBytes(_format, visits.Width);
        var all = checked(bytes * visits.Rows);
        var buffer = ArrayPool<byte>.Shared.Rent(all);
        List<int>? scaled = null;
        for (var row = 0; row < visits.Rows; row++)
        {
            if (RowEncoding.EncodeRow(_format, visits.Row(row), buffer.AsSpan(row * bytes, bytes)) is var exponent && exponent > 0)
                (scaled ??= []).AddRange(row, exponent);
        }

        var rows = new WireRows(visits.Rows, visits.Width, (int)_format, scaled is null ? [] : [.. scaled], buffer, all);
        var request = new ExpertRequest(visits.Layer, rows, visits.VisitRows.ToArray(), visits.VisitExperts.ToArray(), (int)_results);
        return new Call(this, visits, Volatile.Read(ref _grains[group]).ForwardAsync(request).AsTask(), cancellationToken);
    }

    /// <summary>A call on its way. What answers one that was given up stays unread; its buffer is left to the collector.</summary>
    private sealed class Call(GrainExpertChannel channel, ExpertVisits visits, Task<ExpertResult> answer, CancellationToken cancellationToken) : IExpertCall
    {
        public void Finish()
        {
            var rows = (answer.IsCompleted ? answer : answer.WaitAsync(channel._timeout, channel._time, cancellationToken)).GetAwaiter().GetResult().Rows;
            var encoded = rows.Open();
            if (encoded.Count != visits.Count || encoded.Width != visits.Width)
                throw new InvalidDataException($"The answer has {encoded.Count} rows of {encoded.Width} values; {visits.Count} of {visits.Width} were asked for.");
            for (var visit = 0; visit < visits.Count; visit++)
                encoded.Read(visit, visits.Result(visit));
            rows.Release();
        }

        public void Dispose()
        {
            // An answer that nobody waits for may fail.
            if (!answer.IsCompletedSuccessfully)
                _ = answer.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
