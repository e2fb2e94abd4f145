using System.Runtime.InteropServices;
using Slm.Engine.Formats;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Stages;

/// <summary>A model of random numbers, to be written as a file and to be computed by a test from the equations.</summary>
internal sealed class RandomModel(int seed)
{
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, (long[] Shape, float[] Values)> _tensors = [];
    private readonly List<KeyValuePair<string, object>> _metadata = [];

    public float[] this[string name] => _tensors[name].Values;

    public bool Has(string name) => _tensors.ContainsKey(name);

    public void Set(string key, object value) => _metadata.Add(new(key, value));

    /// <summary>Weights around <paramref name="mean"/>; the contiguous dimension is the first.</summary>
    public void Add(string name, double deviation, double mean, params long[] shape)
    {
        var values = new float[shape.Aggregate((a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)(mean + (deviation * Normal()));
        _tensors.Add(name, (shape, values));
    }

    /// <summary>A matrix [rows, columns] that keeps the size of what it multiplies.</summary>
    public void Matrix(string name, int columns, int rows, double gain = 1) => Add(name, gain / Math.Sqrt(columns), 0, columns, rows);

    /// <summary>Weights of a norm, and its bias if it has one.</summary>
    public void Norm(string name, int size, bool bias)
    {
        Add(name + ".weight", 0.3, 1, size);
        if (bias)
            Add(name + ".bias", 0.3, 0, size);
    }

    public int[] Tokens(int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(vocabulary))];

    public TemporaryFile Write()
    {
        var writer = new GgufWriter();
        foreach (var (key, value) in _metadata)
            writer.Add(key, value);
        foreach (var (name, (shape, values)) in _tensors)
            writer.AddTensor(name, TensorType.F32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());
        var file = new TemporaryFile();
        writer.Write(file.Path);
        return file;
    }

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
