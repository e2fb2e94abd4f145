using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Tests.Experts;

/// <summary>Groups of experts of their own threads in this process, reached through nothing but bytes; calls run on other threads.</summary>
internal sealed class ByteChannel : IExpertChannel, IDisposable
{
    private readonly ExpertGroup[] _groups;
    private readonly WorkerPool _workers;
    private readonly int _width;

    public ByteChannel(ModelFile file, LayerRange range, IReadOnlyList<ExpertSlice> groups, ExpertGroupOptions? options = null, WireFormat format = WireFormat.F32, WireFormat? results = null, int threads = 2)
    {
        _workers = new WorkerPool(threads);
        _width = file.Config.HiddenSize;
        Groups = groups;
        (Format, Results) = (format, results ?? format);
        _groups = [.. groups.Select(slice => ExpertGroup.Load(file, range, slice, options ?? new ExpertGroupOptions(), _workers))];
    }

    public IReadOnlyList<ExpertSlice> Groups { get; }

    public IReadOnlyList<ExpertGroup> Held => _groups;

    public WireFormat Format { get; }

    public WireFormat Results { get; }

    /// <summary>Payload bytes sent and received.</summary>
    public long Bytes { get; private set; }

    /// <summary>Rows sent.</summary>
    public long RowsSent { get; private set; }

    /// <summary>Calls begun.</summary>
    public int Calls { get; private set; }

    /// <summary>Visits sent.</summary>
    public long VisitsSent { get; private set; }

    /// <summary>Runs before a group computes, with its index.</summary>
    public Func<int, CancellationToken, Task>? Reached { get; set; }

    public IExpertCall Begin(int group, ExpertVisits visits, CancellationToken cancellationToken)
    {
        Calls++;
        RowsSent += visits.Rows;
        VisitsSent += visits.Count;
        var bytes = RowEncoding.RowBytes(Format, _width);
        var payload = new byte[visits.Rows * bytes];
        var scaled = new List<int>();
        for (var row = 0; row < visits.Rows; row++)
        {
            if (RowEncoding.EncodeRow(Format, visits.Row(row), payload.AsSpan(row * bytes, bytes)) is var exponent && exponent > 0)
                scaled.AddRange([row, exponent]);
        }

        Bytes += payload.Length;
        var (layer, count) = (visits.Layer, visits.Rows);
        int[] rows = [.. visits.VisitRows], experts = [.. visits.VisitExperts];
        var reached = Reached;
        var answer = Task.Run(
            async () =>
            {
                if (reached is not null)
                    await reached(group, cancellationToken);
                var results = new byte[RowEncoding.PayloadBytes(Results, rows.Length, _width)];
                return (results, _groups[group].Forward(layer, new EncodedRows(Format, count, _width, payload, [.. scaled]), rows, experts, Results, results));
            },
            CancellationToken.None);
        return new Call(this, visits, answer, cancellationToken);
    }

    public void Dispose()
    {
        foreach (var group in _groups)
            group.Dispose();
        _workers.Dispose();
    }

    private sealed class Call(ByteChannel channel, ExpertVisits visits, Task<(byte[] Bytes, int[] Scaled)> answer, CancellationToken cancellationToken) : IExpertCall
    {
        public void Finish()
        {
            answer.WaitAsync(cancellationToken).GetAwaiter().GetResult();
            var (bytes, scaled) = answer.Result;
            channel.Bytes += bytes.Length;
            var rows = new EncodedRows(channel.Results, visits.Count, visits.Width, bytes, scaled);
            for (var visit = 0; visit < visits.Count; visit++)
                rows.Read(visit, visits.Result(visit));
        }

        public void Dispose() => _ = answer.ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }
}
