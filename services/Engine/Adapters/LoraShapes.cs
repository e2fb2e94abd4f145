using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;

namespace Slm.Engine.Adapters;

/// <summary>Checks the two matrices of a pair against the model's matrix.</summary>
internal sealed class LoraShapes(string adapter, ModelFile model)
{
    private const int MaxRank = 1 << 14;
    private const string Embedding = "token_embd.weight";
    private const string Head = "output.weight";
    private const string SharedGate = "ffn_gate_inp_shexp.weight";

    /// <summary>Makes a pair; its scale is the caller's to set.</summary>
    /// <param name="target">Name of the model's matrix.</param>
    /// <param name="a">First matrix.</param>
    /// <param name="aShape">Its shape, the contiguous dimension first.</param>
    /// <param name="b">Second matrix.</param>
    /// <param name="bShape">Its shape.</param>
    /// <param name="transposed">A of an embedding is [vocabulary, rank], the contiguous dimension first.</param>
    public LoraPair Pair(string target, LoraFactor a, IReadOnlyList<long> aShape, LoraFactor b, IReadOnlyList<long> bShape, bool transposed = false)
    {
        var (columns, rows, experts) = Matrix(target, a.Name);
        RequireType(a);
        RequireType(b);
        var embedding = target == Embedding;
        var rank = At(bShape, 0);
        if (rank is < 1 or > MaxRank)
            throw new AdapterFormatException(adapter, b.Name, $"the rank of '{b.Name}' is {rank}; it must be between 1 and {MaxRank}.");
        var (aColumns, aRows) = !embedding ? (columns, rank) : transposed ? (rows, rank) : (rank, rows);
        var (wantedA, wantedB) = (Shape(aColumns, aRows, experts), Shape(rank, embedding ? columns : rows, experts));
        if (At(aShape, embedding && !transposed ? 0 : 1) != rank)
            throw new AdapterFormatException(adapter, a.Name, $"the ranks differ: '{a.Name}' is {Text(aShape)} and '{b.Name}' is {Text(bShape)}.");
        Require(a.Name, aShape, wantedA, target);
        Require(b.Name, bShape, wantedB, target);
        return new LoraPair
        {
            Tensor = target,
            A = a,
            B = b,
            Rank = (int)rank,
            Columns = checked((int)(embedding ? rows : columns)),
            Rows = checked((int)(embedding ? columns : rows)),
            Experts = (int)experts,
            Scale = 1,
            IsEmbedding = embedding,
            Transposed = embedding && transposed,
        };
    }

    /// <summary>Shape of the model's matrix; the head may be the embedding's matrix, which it then changes for itself alone.</summary>
    private (long Columns, long Rows, long Experts) Matrix(string target, string from)
    {
        if (!model.Source.TryGetTensor(target, out var tensor) && !(target == Head && model.Source.TryGetTensor(Embedding, out tensor)))
            throw new AdapterFormatException(adapter, from, $"'{from}' changes the tensor '{target}', which the model '{model.Name}' does not have. It was made for another model.");
        // A matrix of one row.
        if (tensor.Shape.Count == 1 && target.EndsWith(SharedGate, StringComparison.Ordinal))
            return (tensor.Shape[0], 1, 1);
        if (tensor.Shape.Count is 2 or 3)
            return (tensor.Shape[0], tensor.Shape[1], At(tensor.Shape, 2));
        throw new AdapterFormatException(adapter, from, $"'{from}' changes the tensor '{target}' {tensor.ShapeText} of the model '{model.Name}'; only matrices can be changed.");
    }

    private void RequireType(LoraFactor factor)
    {
        if (!RowDequantizer.Supported.Contains(factor.Type))
            throw new AdapterFormatException(adapter, factor.Name, $"the tensor '{factor.Name}' is {factor.Type}, which is not supported here. Supported: {string.Join(", ", RowDequantizer.Supported)}.");
    }

    private void Require(string name, IReadOnlyList<long> shape, long[] wanted, string target)
    {
        var same = true;
        for (var d = 0; d < Math.Max(shape.Count, wanted.Length); d++)
            same &= At(shape, d) == At(wanted, d);
        if (!same)
            throw new AdapterFormatException(adapter, name, $"the tensor '{name}' has the shape {Text(shape)}; {Text(wanted)} would fit '{target}' of the model '{model.Name}'. It was made for another model.");
    }

    private static long[] Shape(long columns, long rows, long experts) => experts == 1 ? [columns, rows] : [columns, rows, experts];

    private static long At(IReadOnlyList<long> shape, int dimension) => dimension < shape.Count ? shape[dimension] : 1;

    private static string Text(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";
}
