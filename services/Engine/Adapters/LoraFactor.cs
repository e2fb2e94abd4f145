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
    /// <summary>Size of heads whose rotated halves the file has behind each other and the model side by side; 0 if rows stay in order.</summary>
    public int HeadSize { get; init; }

    /// <summary>First bytes of the experts, where they are tensors of their own; 0 for one that has none, and is zero.</summary>
    public nint[]? Parts { get; init; }

    /// <summary>Writes a row as F32.</summary>
    public void Read(long row, float* target)
    {
        var start = Start;
        if (Parts is not null)
        {
            var rows = Rows / Parts.Length;
            start = Parts[row / rows];
            row %= rows;
        }

        if (start == 0)
        {
            new Span<float>(target, Columns).Clear();
            return;
        }

        if (HeadSize > 0)
        {
            var within = row % HeadSize;
            row += (within % 2 * (HeadSize / 2)) + (within / 2) - within;
        }

        RowDequantizer.Dequantize(Type, (byte*)start + (row * TensorTypes.RowBytes(Type, Columns)), target, Columns);
    }
}
