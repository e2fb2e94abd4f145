using Slm.Engine.Formats;

namespace Slm.Engine.Tests.Quantization;

/// <summary>
/// The block layouts of GGUF, read bit by bit from a description of where each field lies, in double precision. Shares no
/// code with the engine: a column's code is put together from single bits.
/// </summary>
internal static class BitTwin
{
    private static readonly int[] NonLinear = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    public static double[] Dequantize(TensorType type, byte[] row, int columns)
    {
        var (elements, bytes) = (TensorTypes.BlockElements(type), TensorTypes.BlockBytes(type));
        return [.. Enumerable.Range(0, columns).Select(c => Value(type, row.AsSpan(c / elements * bytes, bytes), c % elements))];
    }

    private static double Value(TensorType type, ReadOnlySpan<byte> b, int c)
    {
        // Bytes of 32 columns come in nibbles, the first half of the columns low; K types interleave 32 columns at a time.
        var (byte16, up16) = (c % 16, c / 16 * 4);
        switch (type)
        {
            case TensorType.Q8_0:
                return Half(b, 0) * (sbyte)b[2 + c];
            case TensorType.Q4_0:
                return Half(b, 0) * (Bits(b, 2 + byte16, up16, 4) - 8);
            case TensorType.IQ4_NL:
                return Half(b, 0) * NonLinear[Bits(b, 2 + byte16, up16, 4)];
            case TensorType.Q4_1:
                return (Half(b, 0) * Bits(b, 4 + byte16, up16, 4)) + Half(b, 2);
            case TensorType.Q5_0:
                return Half(b, 0) * (Bits(b, 6 + byte16, up16, 4) + (16 * Bits(b, 2 + (c / 8), c % 8, 1)) - 16);
            case TensorType.Q5_1:
                return (Half(b, 0) * (Bits(b, 8 + byte16, up16, 4) + (16 * Bits(b, 4 + (c / 8), c % 8, 1)))) + Half(b, 2);
            case TensorType.Q2_K:
                var group = c / 16;
                return (Half(b, 80) * Bits(b, group, 0, 4) * Bits(b, 16 + (c / 128 * 32) + (c % 32), c / 32 % 4 * 2, 2)) - (Half(b, 82) * Bits(b, group, 4, 4));
            case TensorType.Q3_K:
                var part = c / 16;
                var six = Bits(b, 96 + (part % 8), part / 8 * 4, 4) + (16 * Bits(b, 104 + (part % 4), part / 4 * 2, 2));
                return Half(b, 108) * (six - 32) * (Bits(b, 32 + (c / 128 * 32) + (c % 32), c / 32 % 4 * 2, 2) + (4 * Bits(b, c % 32, c / 32, 1)) - 4);
            case TensorType.Q4_K:
                return Pair(b, c, Bits(b, 16 + (c / 64 * 32) + (c % 32), c / 32 % 2 * 4, 4));
            case TensorType.Q5_K:
                return Pair(b, c, Bits(b, 48 + (c / 64 * 32) + (c % 32), c / 32 % 2 * 4, 4) + (16 * Bits(b, 16 + (c % 32), c / 32, 1)));
            case TensorType.Q6_K:
                var (half, quarter) = (c / 128, c / 32 % 4);
                var low = Bits(b, (half * 64) + (quarter % 2 * 32) + (c % 32), quarter / 2 * 4, 4);
                var high = Bits(b, 128 + (half * 32) + (c % 32), quarter * 2, 2);
                return Half(b, 208) * (sbyte)b[192 + (c / 16)] * (low + (16 * high) - 32);
            default:
                throw new NotSupportedException(type.ToString());
        }
    }

    /// <summary>Scale and minimum of Q4_K and Q5_K: the low six bits of bytes 0-7 for groups 0-3; for the others nibbles of bytes 8-11, and the upper two bits of bytes 0-7.</summary>
    private static double Pair(ReadOnlySpan<byte> b, int c, int code)
    {
        var g = c / 32;
        var scale = g < 4 ? Bits(b, 4 + g, 0, 6) : Bits(b, 8 + g, 0, 4) + (16 * Bits(b, g, 6, 2));
        var minimum = g < 4 ? Bits(b, 8 + g, 0, 6) : Bits(b, 8 + g, 4, 4) + (16 * Bits(b, 4 + g, 6, 2));
        return (Half(b, 0) * scale * code) - (Half(b, 2) * minimum);
    }

    private static int Bits(ReadOnlySpan<byte> b, int index, int first, int count)
    {
        var value = 0;
        for (var i = 0; i < count; i++)
            value += ((b[index] >> (first + i)) & 1) << i;
        return value;
    }

    private static double Half(ReadOnlySpan<byte> b, int at) => (double)BitConverter.ToHalf(b[at..]);
}
