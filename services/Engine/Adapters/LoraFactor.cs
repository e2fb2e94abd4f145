using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.Adapters;

/// <summary>One of the two matrices of a pair, where it lies in its file: rows one after the other, of all experts.</summary>
/// <param name="Name">Name in the file, for errors.</param>
/// <param name="Type">Element type.</param>
/// <param name="Start">First byte.</param>
/// <param name="Rows">Rows over all experts.</param>
/// <param name="Columns">Elements of a row.</param>
internal sealed unsafe record LoraFactor(string Name, TensorType Type, nint Start, long Rows, int Columns)
{
    /// <summary>Where the file has each row, if not in order.</summary>
    public int[]? RowOrder { get; init; }

    /// <summary>Writes a row as F32.</summary>
    public void Read(long row, float* target)
    {
        if (RowOrder is not null)
            row = RowOrder[row];
        RowDequantizer.Dequantize(Type, (byte*)Start + (row * TensorTypes.RowBytes(Type, Columns)), target, Columns);
    }
}
