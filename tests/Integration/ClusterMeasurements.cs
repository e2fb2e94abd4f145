using System.Diagnostics.Metrics;
using Slm.Inference;

namespace Slm.Integration;

/// <summary>What the cluster's meter has measured since, of all silos of this process: look for the one test's own model (<see cref="OwnModel"/>).</summary>
internal sealed class ClusterMeasurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Name, double Value, Dictionary<string, object?> Tags)> _points = [];

    public ClusterMeasurements()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ClusterMetrics.MeterName)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public double Sum(string name, params (string Key, object Value)[] tags) => Of(name, tags).Sum(p => p.Value);

    public int Count(string name, params (string Key, object Value)[] tags) => Of(name, tags).Count;

    public double Observe(string name, params (string Key, object Value)[] tags)
    {
        lock (_points)
            _points.RemoveAll(p => p.Name == name);
        _listener.RecordObservableInstruments();
        return Sum(name, tags);
    }

    public void Dispose() => _listener.Dispose();

    private List<(string Name, double Value, Dictionary<string, object?> Tags)> Of(string name, (string Key, object Value)[] tags)
    {
        lock (_points)
            return [.. _points.Where(p => p.Name == name && tags.All(t => Equals(p.Tags.GetValueOrDefault(t.Key), t.Value)))];
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_points)
            _points.Add((instrument.Name, value, tags.ToArray().ToDictionary()));
    }
}
