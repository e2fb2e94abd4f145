using System.Diagnostics.Metrics;
using Slm.Inference;

namespace Slm.Integration;

/// <summary>Counts what comes over direct connections.</summary>
internal sealed class DirectFrames : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _count;

    public DirectFrames(string kind)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == ClusterMetrics.DirectFrames)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.ToArray().Any(t => t.Key == ClusterMetrics.KindTag && Equals(t.Value, kind)))
                Interlocked.Add(ref _count, value);
        });
        _listener.Start();
    }

    public long Count => Volatile.Read(ref _count);

    public void Dispose() => _listener.Dispose();
}
