using System.Numerics.Tensors;
using Slm.Engine.Execution;

namespace Slm.Engine.Quantization;

/// <summary>Collects the mean squares of the inputs of every matrix while a pipeline runs.</summary>
public sealed class ImportanceCollector : IInputObserver
{
    private readonly Dictionary<string, (double[] Sums, long[] Counts)> _sums = new(StringComparer.Ordinal);
    private double[] _row = [];

    /// <inheritdoc/>
    public void Observe(string tensor, ReadOnlySpan<float> inputs, int columns, int matrix, int matrices)
    {
        if (!_sums.TryGetValue(tensor, out var known))
            _sums[tensor] = known = (new double[checked(columns * matrices)], new long[matrices]);
        if (_row.Length < columns)
            _row = new double[columns];
        var row = _row.AsSpan(0, columns);
        var sums = known.Sums.AsSpan(matrix * columns, columns);
        for (var at = 0; at < inputs.Length; at += columns)
        {
            TensorPrimitives.ConvertTruncating(inputs.Slice(at, columns), row);
            TensorPrimitives.MultiplyAdd<double>(row, row, sums, sums);
        }

        known.Counts[matrix] += inputs.Length / columns;
    }

    /// <summary>What was collected.</summary>
    /// <param name="dataset">Name of the text.</param>
    /// <param name="chunks">Chunks that were read.</param>
    /// <param name="chunkTokens">Tokens of a chunk.</param>
    public ImportanceMatrix ToMatrix(string dataset, int chunks, int chunkTokens) => new(_sums.ToDictionary(
        e => e.Key, e => Mean(e.Value.Sums, e.Value.Counts), StringComparer.Ordinal))
    {
        Datasets = [dataset],
        ChunkCount = chunks,
        ChunkTokens = chunkTokens,
    };

    /// <summary>Means of each matrix; of an expert that no token visited all columns matter alike.</summary>
    private static ImportanceEntry Mean(double[] sums, long[] counts)
    {
        var columns = sums.Length / counts.Length;
        return new ImportanceEntry(
            [.. sums.Select((sum, i) => counts[i / columns] == 0 ? 1 : (float)(sum / counts[i / columns]))], [.. counts.Select(c => (float)c)]);
    }
}
