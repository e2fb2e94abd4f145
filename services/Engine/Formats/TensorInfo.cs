namespace Slm.Engine.Formats;

/// <summary>Where a tensor lies in a file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Elements per dimension, the contiguous one first: [columns, rows, …].</param>
/// <param name="Offset">Bytes from the start of the tensor data.</param>
/// <param name="ByteLength">Bytes of the data.</param>
public sealed record TensorInfo(string Name, TensorType Type, IReadOnlyList<long> Shape, long Offset, long ByteLength)
{
    /// <summary>Elements of a row.</summary>
    public long Columns => Shape[0];

    /// <summary>Rows over all other dimensions.</summary>
    public long Rows => Shape.Skip(1).Aggregate(1L, (product, n) => product * n);

    /// <summary>All elements.</summary>
    public long Elements => Columns * Rows;

    /// <summary>The shape as errors print it.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
