using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>Stored rows back to F32, exactly as the GGUF layouts define them.</summary>
internal static unsafe class RowDequantizer
{
    /// <summary>What the sixteen codes of IQ4_NL stand for.</summary>
    internal static ReadOnlySpan<sbyte> NonLinearValues => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The types that have kernels.</summary>
    public static IReadOnlyCollection<TensorType> Supported { get; } =
    [
        TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q4_1, TensorType.Q5_0, TensorType.Q5_1,
        TensorType.Q2_K, TensorType.Q3_K, TensorType.Q4_K, TensorType.Q5_K, TensorType.Q6_K, TensorType.IQ4_NL,
    ];

    /// <summary>Writes <paramref name="columns"/> values of one row to <paramref name="target"/>.</summary>
    public static void Dequantize(TensorType type, byte* row, float* target, int columns)
    {
        switch (type)
        {
            case TensorType.F32:
                Buffer.MemoryCopy(row, target, columns * 4L, columns * 4L);
                return;
            case TensorType.F16:
                for (var i = 0; i < columns; i++)
                    target[i] = HalfFormats.F16(((ushort*)row)[i]);
                return;
            case TensorType.BF16:
                for (var i = 0; i < columns; i++)
                    target[i] = HalfFormats.BF16(((ushort*)row)[i]);
                return;
        }

        var elements = TensorTypes.BlockElements(type);
        var bytes = TensorTypes.BlockBytes(type);
        for (var i = 0; i < columns; i += elements, row += bytes, target += elements)
            Block(type, row, target);
    }

    private static void Block(TensorType type, byte* block, float* target)
    {
        switch (type)
        {
            case TensorType.Q8_0:
                for (var i = 0; i < 32; i++)
                    target[i] = Half(block) * ((sbyte*)block)[2 + i];
                break;
            case TensorType.Q4_0:
                for (var i = 0; i < 32; i++)
                    target[i] = Half(block) * (Nibble(block + 2, i) - 8);
                break;
            case TensorType.IQ4_NL:
                for (var i = 0; i < 32; i++)
                    target[i] = Half(block) * NonLinearValues[Nibble(block + 2, i)];
                break;
            case TensorType.Q4_1:
                for (var i = 0; i < 32; i++)
                    target[i] = (Half(block) * Nibble(block + 4, i)) + Half(block + 2);
                break;
            case TensorType.Q5_0:
                for (var i = 0; i < 32; i++)
                    target[i] = Half(block) * ((Nibble(block + 6, i) | FifthBit(block + 2, i)) - 16);
                break;
            case TensorType.Q5_1:
                for (var i = 0; i < 32; i++)
                    target[i] = (Half(block) * (Nibble(block + 8, i) | FifthBit(block + 4, i))) + Half(block + 2);
                break;
            case TensorType.Q2_K:
                for (var i = 0; i < 256; i++)
                {
                    var scale = block[i / 16];
                    var code = (block[16 + (i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3;
                    target[i] = (Half(block + 80) * (scale & 15) * code) - (Half(block + 82) * (scale >> 4));
                }

                break;
            case TensorType.Q3_K:
                for (var i = 0; i < 256; i++)
                {
                    var part = i / 16;
                    var scale = ((block[96 + (part % 8)] >> (part / 8 * 4)) & 15) | (((block[104 + (part % 4)] >> (part / 4 * 2)) & 3) << 4);
                    var code = (block[32 + (i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3;
                    var high = (block[i % 32] >> (i / 32)) & 1;
                    target[i] = Half(block + 108) * (scale - 32) * (code - ((1 - high) * 4));
                }

                break;
            case TensorType.Q4_K:
                for (var i = 0; i < 256; i++)
                    target[i] = SixBit(block, i, (block[16 + (i / 64 * 32) + (i % 32)] >> (i % 64 / 32 * 4)) & 15);
                break;
            case TensorType.Q5_K:
                for (var i = 0; i < 256; i++)
                {
                    var high = (block[16 + (i % 32)] >> (i / 32)) & 1;
                    target[i] = SixBit(block, i, ((block[48 + (i / 64 * 32) + (i % 32)] >> (i % 64 / 32 * 4)) & 15) | (high << 4));
                }

                break;
            case TensorType.Q6_K:
                for (var i = 0; i < 256; i++)
                {
                    var (half, quarter) = (i / 128, i % 128 / 32);
                    var low = (block[(half * 64) + (quarter % 2 * 32) + (i % 32)] >> (quarter / 2 * 4)) & 15;
                    var high = (block[128 + (half * 32) + (i % 32)] >> (2 * quarter)) & 3;
                    target[i] = Half(block + 208) * ((sbyte*)block)[192 + (i / 16)] * ((low | (high << 4)) - 32);
                }

                break;
            default:
                throw new NotSupportedException($"Tensor type {type} has no kernel.");
        }
    }

    private static float Half(byte* at) => HalfFormats.F16(*(ushort*)at);

    /// <summary>Columns 0-15 in the low nibbles, 16-31 in the high ones.</summary>
    private static int Nibble(byte* packed, int i) => i < 16 ? packed[i] & 15 : packed[i - 16] >> 4;

    private static int FifthBit(byte* bits, int i) => ((bits[i / 8] >> (i % 8)) & 1) << 4;

    /// <summary>Q4_K and Q5_K: 6-bit scale and minimum of column <paramref name="i"/>'s 32, times the block's.</summary>
    private static float SixBit(byte* block, int i, int code)
    {
        var part = i / 32;
        var packed = block + 4;
        var scale = part < 4 ? packed[part] & 63 : (packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4);
        var minimum = part < 4 ? packed[part + 4] & 63 : (packed[part + 4] >> 4) | (packed[part] >> 6 << 4);
        return (Half(block) * scale * code) - (Half(block + 2) * minimum);
    }
}
