namespace Slm.Engine.Formats;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">Element type as the file writes it, such as "BF16".</param>
/// <param name="Shape">Elements per dimension, the contiguous one last: […, rows, columns]. Empty for a single number.</param>
/// <param name="Offset">Bytes from the start of the file.</param>
/// <param name="ByteLength">Bytes of the data.</param>
public sealed record SafetensorsTensor(string Name, string ElementType, IReadOnlyList<long> Shape, long Offset, long ByteLength)
{
    /// <summary>The type of floats that can be computed with; null for all others.</summary>
    public TensorType? FloatType => ElementType switch
    {
        "F32" => TensorType.F32,
        "F16" => TensorType.F16,
        "BF16" => TensorType.BF16,
        _ => null,
    };

    /// <summary>All elements.</summary>
    public long Elements => Shape.Aggregate(1L, (product, n) => product * n);

    /// <summary>The shape as errors print it.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
