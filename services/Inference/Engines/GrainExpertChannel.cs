using System.Buffers;
using Orleans.Serialization;
using Slm.Contracts.Grains;
using Slm.Engine.Experts;
using Slm.Engine.Wire;
using Slm.Inference.Direct;

namespace Slm.Inference.Engines;

/// <summary>
/// Groups of experts behind grains. The thread that computes the stage waits for their answers, so groups compute on another one: that
/// of a direct connection, or of messages (<see cref="ExpertCompute"/>).
/// </summary>
internal sealed class GrainExpertChannel : IExpertChannel, IDisposable
{
    private readonly IExpertGroupGrain[] _grains;
    private readonly DirectCaller[] _callers;
    private readonly DirectLinks _links;
    private readonly Serializer _serializer;
    private readonly WireFormat _format, _results;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    /// <param name="groups">What each group holds, its grain, and the grain's key.</param>
    /// <param name="format">How rows travel to them.</param>
    /// <param name="results">How their results travel back.</param>
    /// <param name="timeout">When a group that does not answer counts as lost.</param>
    /// <param name="links">Direct connections.</param>
    /// <param name="serializer">Reads what comes over them.</param>
    /// <param name="time">Clock.</param>
    private GrainExpertChannel(
        IReadOnlyList<(ExpertSlice Slice, IExpertGroupGrain Grain, string Key)> groups, WireFormat format, WireFormat results, TimeSpan timeout, DirectLinks links, Serializer serializer, TimeProvider time)
    {
        (_links, _serializer) = (links, serializer);
        _callers = [.. groups.Select(group => links.Caller(group.Key))];
        Groups = [.. groups.Select(group => group.Slice)];
        _grains = [.. groups.Select(group => group.Grain)];
        (_format, _results, _timeout, _time) = (format, results, timeout, time);
    }

    public IReadOnlyList<ExpertSlice> Groups { get; }

    /// <summary>What a stage needs to compute with others' experts.</summary>
    /// <exception cref="ArgumentException">An expert is listed twice or negative, or a format is not known.</exception>
    public static RemoteExperts Open(StageExperts experts, IGrainFactory grains, DirectLinks links, Serializer serializer, TimeProvider time)
    {
        foreach (var format in new[] { experts.Format, experts.ResultFormat })
        {
            if (!Enum.IsDefined((WireFormat)format))
                throw new ArgumentException($"Rows cannot travel in format {format}; F32 (1), F16 (2) and Q8 (3) are known.", nameof(experts));
        }

        var groups = experts.Groups.Select(group => (ExpertSlice.Of(group.Experts), grains.GetGrain<IExpertGroupGrain>(group.Key), group.Key)).ToArray();
        var channel = new GrainExpertChannel(groups, (WireFormat)experts.Format, (WireFormat)experts.ResultFormat, TimeSpan.FromMilliseconds(experts.TimeoutMilliseconds), links, serializer, time);
        return new RemoteExperts(channel, ExpertSlice.Of(experts.Local));
    }

    /// <summary>From the next step on, another grain holds what a group held.</summary>
    /// <param name="group">Index in <see cref="Groups"/>.</param>
    /// <param name="grain">The grain.</param>
    /// <param name="key">Its key.</param>
    public void Replace(int group, IExpertGroupGrain grain, string key)
    {
        Volatile.Write(ref _grains[group], grain);
        Interlocked.Exchange(ref _callers[group], _links.Caller(key)).Dispose();
    }

    public void Dispose()
    {
        foreach (var caller in _callers)
            caller.Dispose();
    }

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
        if (Volatile.Read(ref _callers[group]).TryBegin(request) is { } call)
            return new DirectCall(this, visits, call.Link, call.Number, cancellationToken);
        return new Call(this, visits, Volatile.Read(ref _grains[group]).ForwardAsync(request).AsTask(), cancellationToken);
    }

    private static void Read(WireRows rows, ExpertVisits visits)
    {
        var encoded = rows.Open();
        if (encoded.Count != visits.Count || encoded.Width != visits.Width)
            throw new InvalidDataException($"The answer has {encoded.Count} rows of {encoded.Width} values; {visits.Count} of {visits.Width} were asked for.");
        for (var visit = 0; visit < visits.Count; visit++)
            encoded.Read(visit, visits.Result(visit));
        rows.Release();
    }

    /// <summary>A call on its way over a direct connection. What answers one that was given up is skipped by the next.</summary>
    private sealed class DirectCall(GrainExpertChannel channel, ExpertVisits visits, DirectLink link, long number, CancellationToken cancellationToken) : IExpertCall
    {
        public void Finish()
        {
            var answer = link.Receive(number, cancellationToken);
            if (answer.Kind == DirectKind.Failure)
                throw new StatusException(Google.Rpc.Status.Parser.ParseFrom(answer.Body.Span));
            Read(answer.Read<ExpertResult>(channel._serializer).Rows, visits);
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A call on its way. What answers one that was given up stays unread; its buffer is left to the collector.</summary>
    private sealed class Call(GrainExpertChannel channel, ExpertVisits visits, Task<ExpertResult> answer, CancellationToken cancellationToken) : IExpertCall
    {
        public void Finish()
        {
            Read((answer.IsCompleted ? answer : answer.WaitAsync(channel._timeout, channel._time, cancellationToken)).GetAwaiter().GetResult().Rows, visits);
        }

        public void Dispose()
        {
            // An answer that nobody waits for may fail.
            if (!answer.IsCompletedSuccessfully)
                _ = answer.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
