using System.Diagnostics.Metrics;

namespace Slm.Engine.Tests;

/// <summary>What a meter has measured since, in all of this process: look for a model of the one test's own.</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Name, double Value, Dictionary<string, object?> Tags)> _points = [];

    /// <param name="meter">Name of the meter.</param>
    public Measurements(string meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == meter)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public double Sum(string name, params (string Key, object Value)[] tags) => Of(name, tags).Sum(p => p.Value);

    public int Count(string name, params (string Key, object Value)[] tags) => Of(name, tags).Count;

    /// <summary>Adds what observable instruments say now.</summary>
    public void Record() => _listener.RecordObservableInstruments();

    /// <summary>What an observable instrument says now.</summary>
    public double Observe(string name, params (string Key, object Value)[] tags)
    {
        lock (_points)
            _points.RemoveAll(p => p.Name == name);
        Record();
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
