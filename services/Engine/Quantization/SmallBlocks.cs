using Slm.Engine.Quantization.Search;

namespace Slm.Engine.Quantization;

/// <summary>Writes blocks of 32 weights with one F16 scale, some with an F16 minimum. The target is zero before.</summary>
internal static unsafe class SmallBlocks
{
    private const int Elements = 32;

    /// <summary>F16 scale, 32 signed bytes.</summary>
    public static void Q80(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        var scale = GroupFit.HalfScale<SignedEightBits>(x, w, Elements);
        GroupFit.Codes<SignedEightBits>(x, Elements, scale, 0, codes);
        Put(target, scale);
        for (var i = 0; i < Elements; i++)
            target[2 + i] = (byte)(sbyte)codes[i];
    }

    /// <summary>F16 scale, nibbles of code + 8.</summary>
    public static void Q40(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        var scale = GroupFit.HalfScale<SignedFourBits>(x, w, Elements);
        GroupFit.Codes<SignedFourBits>(x, Elements, scale, 0, codes);
        Put(target, scale);
        for (var i = 0; i < Elements; i++)
            Nibble(target + 2, i, (int)codes[i] + 8);
    }

    /// <summary>F16 scale and minimum, nibbles.</summary>
    public static void Q41(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        var (scale, minimum) = GroupFit.Affine<FourBits>(x, w, Elements, belowZero: false, half: true);
        GroupFit.Codes<FourBits>(x, Elements, scale, minimum, codes);
        Put(target, scale);
        Put(target + 2, minimum);
        for (var i = 0; i < Elements; i++)
            Nibble(target + 4, i, (int)codes[i]);
    }

    /// <summary>F16 scale, 32 fifth bits, nibbles of code + 16.</summary>
    public static void Q50(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        var scale = GroupFit.HalfScale<SignedFiveBits>(x, w, Elements);
        GroupFit.Codes<SignedFiveBits>(x, Elements, scale, 0, codes);
        Put(target, scale);
        for (var i = 0; i < Elements; i++)
            FiveBits(target + 2, i, (int)codes[i] + 16);
    }

    /// <summary>F16 scale and minimum, 32 fifth bits, nibbles.</summary>
    public static void Q51(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        var (scale, minimum) = GroupFit.Affine<FiveBits>(x, w, Elements, belowZero: false, half: true);
        GroupFit.Codes<FiveBits>(x, Elements, scale, minimum, codes);
        Put(target, scale);
        Put(target + 2, minimum);
        for (var i = 0; i < Elements; i++)
            FiveBits(target + 4, i, (int)codes[i]);
    }

    /// <summary>F16 scale, nibbles that index the values of IQ4_NL.</summary>
    public static void NonLinear(float* x, float* w, byte* target)
    {
        var values = stackalloc float[Elements];
        var scale = GroupFit.HalfScale<NonLinearFourBits>(x, w, Elements);
        GroupFit.Codes<NonLinearFourBits>(x, Elements, scale, 0, values);
        Put(target, scale);
        for (var i = 0; i < Elements; i++)
            Nibble(target + 2, i, RowDequantizer.NonLinearValues.IndexOf((sbyte)values[i]));
    }

    /// <summary>An F16 value.</summary>
    public static void Put(byte* target, float value) => *(ushort*)target = BitConverter.HalfToUInt16Bits((Half)value);

    /// <summary>Columns 0-15 lie in the low nibbles, 16-31 in the high ones.</summary>
    private static void Nibble(byte* target, int i, int code) => target[i % 16] |= (byte)(code << (i / 16 * 4));

    private static void FiveBits(byte* target, int i, int code)
    {
        target[i / 8] |= (byte)(code >> 4 << (i % 8));
        Nibble(target + 4, i, code & 15);
    }
}
