using System.Numerics.Tensors;
using Slm.Engine.Execution;

namespace Slm.Engine.Quantization;

/// <summary>Collects the mean squares of the inputs of every matrix while a pipeline runs.</summary>
public sealed class ImportanceCollector : IInputObserver
{
    private readonly Dictionary<string, (double[] Sums, long Count)> _sums = new(StringComparer.Ordinal);
    private double[] _row = [];

    /// <inheritdoc/>
    public void Observe(string tensor, ReadOnlySpan<float> inputs, int columns)
    {
        var (sums, count) = _sums.TryGetValue(tensor, out var known) ? known : (new double[columns], 0);
        if (_row.Length < columns)
            _row = new double[columns];
        var row = _row.AsSpan(0, columns);
        for (var at = 0; at < inputs.Length; at += columns)
        {
            TensorPrimitives.ConvertTruncating(inputs.Slice(at, columns), row);
            TensorPrimitives.MultiplyAdd<double>(row, row, sums, sums);
        }

        _sums[tensor] = (sums, count + (inputs.Length / columns));
    }

    /// <summary>What was collected.</summary>
    /// <param name="dataset">Name of the text.</param>
    /// <param name="chunks">Chunks that were read.</param>
    /// <param name="chunkTokens">Tokens of a chunk.</param>
    public ImportanceMatrix ToMatrix(string dataset, int chunks, int chunkTokens) => new(_sums.ToDictionary(
        e => e.Key, e => new ImportanceEntry([.. e.Value.Sums.Select(s => (float)(s / e.Value.Count))], [e.Value.Count]), StringComparer.Ordinal))
    {
        Datasets = [dataset],
        ChunkCount = chunks,
        ChunkTokens = chunkTokens,
    };
}
