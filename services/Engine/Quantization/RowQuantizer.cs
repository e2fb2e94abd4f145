using Slm.Engine.Formats;
using Slm.Engine.Quantization.Search;

namespace Slm.Engine.Quantization;

/// <summary>
/// F32 rows to stored rows. Of every block the scale, minimum and codes are searched that make Σ w·(stored - x)² small, with
/// the importance w of a column, or 1. What <see cref="RowDequantizer"/> reads back is exactly what the search has measured.
/// </summary>
internal static unsafe class RowQuantizer
{
    private const int MaxBlock = 256;

    /// <summary>The types that can be written.</summary>
    public static IReadOnlyCollection<TensorType> Supported => RowDequantizer.Supported;

    /// <summary>Quantizes one row.</summary>
    /// <param name="type">One of <see cref="Supported"/>.</param>
    /// <param name="row">[columns] finite values.</param>
    /// <param name="importance">[columns] values of at least 0, or null.</param>
    /// <param name="target">The stored row, as many bytes as type and columns need.</param>
    /// <param name="columns">A multiple of the type's block.</param>
    public static void Quantize(TensorType type, float* row, float* importance, byte* target, int columns)
    {
        switch (type)
        {
            case TensorType.F32:
                Buffer.MemoryCopy(row, target, columns * 4L, columns * 4L);
                return;
            case TensorType.F16:
                for (var i = 0; i < columns; i++)
                    ((Half*)target)[i] = (Half)row[i];
                return;
            case TensorType.BF16:
                for (var i = 0; i < columns; i++)
                    ((ushort*)target)[i] = BrainFloat(row[i]);
                return;
        }

        if (!Supported.Contains(type))
            throw new NotSupportedException($"Tensor type {type} cannot be written. Supported: {string.Join(", ", Supported)}.");
        var elements = TensorTypes.BlockElements(type);
        var bytes = TensorTypes.BlockBytes(type);
        var ones = stackalloc float[MaxBlock];
        new Span<float>(ones, MaxBlock).Fill(1);
        for (var i = 0; i < columns; i += elements, target += bytes)
        {
            // Columns that no text has reached say nothing: a block of them is fitted as if there were no importances.
            var w = importance != null && Sum(importance + i, elements) > 0 ? importance + i : ones;
            new Span<byte>(target, bytes).Clear();
            Block(type, row + i, w, target);
        }
    }

    private static void Block(TensorType type, float* x, float* w, byte* target)
    {
        switch (type)
        {
            case TensorType.Q8_0:
                SmallBlocks.Q80(x, w, target);
                break;
            case TensorType.Q4_0:
                SmallBlocks.Q40(x, w, target);
                break;
            case TensorType.Q4_1:
                SmallBlocks.Q41(x, w, target);
                break;
            case TensorType.Q5_0:
                SmallBlocks.Q50(x, w, target);
                break;
            case TensorType.Q5_1:
                SmallBlocks.Q51(x, w, target);
                break;
            case TensorType.IQ4_NL:
                SmallBlocks.NonLinear(x, w, target);
                break;
            case TensorType.Q2_K:
                SuperBlocks.Q2K(x, w, target);
                break;
            case TensorType.Q3_K:
                SuperBlocks.Q3K(x, w, target);
                break;
            case TensorType.Q4_K:
                SuperBlocks.Q4K(x, w, target);
                break;
            case TensorType.Q5_K:
                SuperBlocks.Q5K(x, w, target);
                break;
            default:
                SuperBlocks.Q6K(x, w, target);
                break;
        }
    }

    private static float Sum(float* values, int count)
    {
        var sum = 0f;
        for (var i = 0; i < count; i++)
            sum += values[i];
        return sum;
    }

    /// <summary>To the nearest, ties to even.</summary>
    private static ushort BrainFloat(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
