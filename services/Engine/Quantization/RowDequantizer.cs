using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>Stored rows back to F32, exactly as the GGUF layouts define them.</summary>
internal static unsafe class RowDequantizer
{
    /// <summary>The types that have kernels.</summary>
    public static IReadOnlyCollection<TensorType> Supported { get; } =
        [TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0];

    /// <summary>Writes <paramref name="columns"/> values of one row to <paramref name="target"/>.</summary>
    public static void Dequantize(TensorType type, byte* row, float* target, int columns)
    {
        switch (type)
        {
            case TensorType.F32:
                Buffer.MemoryCopy(row, target, columns * 4L, columns * 4L);
                break;
            case TensorType.F16:
                for (var i = 0; i < columns; i++)
                    target[i] = HalfFormats.F16(((ushort*)row)[i]);
                break;
            case TensorType.BF16:
                for (var i = 0; i < columns; i++)
                    target[i] = HalfFormats.BF16(((ushort*)row)[i]);
                break;
            case TensorType.Q8_0:
                for (var i = 0; i < columns; i++)
                    target[i] = HalfFormats.F16(*(ushort*)(row + i / 32 * 34)) * ((sbyte*)row)[(i / 32 * 34) + 2 + (i % 32)];
                break;
            case TensorType.Q4_0:
                for (var block = 0; block < columns / 32; block++, row += 18)
                {
                    var scale = HalfFormats.F16(*(ushort*)row);
                    for (var i = 0; i < 16; i++)
                    {
                        target[(block * 32) + i] = scale * ((row[2 + i] & 15) - 8);
                        target[(block * 32) + 16 + i] = scale * ((row[2 + i] >> 4) - 8);
                    }
                }

                break;
            default:
                throw new NotSupportedException($"Tensor type {type} has no kernel.");
        }
    }
}
