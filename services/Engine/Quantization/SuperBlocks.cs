using Slm.Engine.Quantization.Search;

namespace Slm.Engine.Quantization;

/// <summary>Writes super-blocks of 256 weights. The target is zero before.</summary>
internal static unsafe class SuperBlocks
{
    private const int Elements = NestedFit.Elements;

    /// <summary>16 bytes of 4-bit scale and minimum, 64 of bit pairs, F16 factors.</summary>
    public static void Q2K(float* x, float* w, byte* target)
    {
        var scales = stackalloc int[16];
        var minimums = stackalloc int[16];
        var codes = stackalloc float[Elements];
        var factor = NestedFit.Affine<TwoBits>(x, w, 16, 15, starts: 5, scales, minimums);
        for (var g = 0; g < 16; g++)
        {
            GroupFit.Codes<TwoBits>(x + (g * 16), 16, factor.Scale * scales[g], -(factor.Minimum * minimums[g]), codes + (g * 16));
            target[g] = (byte)(scales[g] | (minimums[g] << 4));
        }

        SmallBlocks.Put(target + 80, factor.Scale);
        SmallBlocks.Put(target + 82, factor.Minimum);
        for (var i = 0; i < Elements; i++)
            BitPair(target + 16, i, (int)codes[i]);
    }

    /// <summary>32 bytes of high bits, 64 of bit pairs, 12 of 6-bit scales plus 32, F16 factor.</summary>
    public static void Q3K(float* x, float* w, byte* target)
    {
        var scales = stackalloc int[16];
        var codes = stackalloc float[Elements];
        var factor = NestedFit.Symmetric<SignedThreeBits>(x, w, 16, -32, reach: 3, scales);
        for (var g = 0; g < 16; g++)
        {
            GroupFit.Codes<SignedThreeBits>(x + (g * 16), 16, factor * scales[g], 0, codes + (g * 16));
            var stored = scales[g] + 32;
            target[96 + (g % 8)] |= (byte)((stored & 15) << (g / 8 * 4));
            target[104 + (g % 4)] |= (byte)(stored >> 4 << (g / 4 * 2));
        }

        SmallBlocks.Put(target + 108, factor);
        for (var i = 0; i < Elements; i++)
        {
            var code = (int)codes[i] + 4;
            target[i % 32] |= (byte)(code >> 2 << (i / 32));
            BitPair(target + 32, i, code & 3);
        }
    }

    /// <summary>F16 factors, 12 bytes of 6-bit pairs, nibbles: 32 columns low, the next 32 high.</summary>
    public static void Q4K(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        SixBitGroups<FourBits>(x, w, target, codes);
        for (var i = 0; i < Elements; i++)
            target[16 + (i / 64 * 32) + (i % 32)] |= (byte)((int)codes[i] << (i % 64 / 32 * 4));
    }

    /// <summary>As Q4_K with 32 bytes of fifth bits before the nibbles.</summary>
    public static void Q5K(float* x, float* w, byte* target)
    {
        var codes = stackalloc float[Elements];
        SixBitGroups<FiveBits>(x, w, target, codes);
        for (var i = 0; i < Elements; i++)
        {
            var code = (int)codes[i];
            target[16 + (i % 32)] |= (byte)(code >> 4 << (i / 32));
            target[48 + (i / 64 * 32) + (i % 32)] |= (byte)((code & 15) << (i % 64 / 32 * 4));
        }
    }

    /// <summary>128 bytes of nibbles, 64 of upper bit pairs, 16 signed scales, F16 factor; two halves of 128 columns.</summary>
    public static void Q6K(float* x, float* w, byte* target)
    {
        var scales = stackalloc int[16];
        var codes = stackalloc float[Elements];
        var factor = NestedFit.Symmetric<SignedSixBits>(x, w, 16, -128, reach: 1, scales);
        for (var g = 0; g < 16; g++)
        {
            GroupFit.Codes<SignedSixBits>(x + (g * 16), 16, factor * scales[g], 0, codes + (g * 16));
            target[192 + g] = (byte)(sbyte)scales[g];
        }

        SmallBlocks.Put(target + 208, factor);
        for (var i = 0; i < Elements; i++)
        {
            var (half, quarter) = (i / 128, i % 128 / 32);
            var code = (int)codes[i] + 32;
            target[(half * 64) + (quarter % 2 * 32) + (i % 32)] |= (byte)((code & 15) << (quarter / 2 * 4));
            target[128 + (half * 32) + (i % 32)] |= (byte)(code >> 4 << (quarter * 2));
        }
    }

    /// <summary>Factors and 6-bit scales and minimums of eight groups of 32: the first four as they are, the upper bits of the others above them.</summary>
    private static void SixBitGroups<TCodes>(float* x, float* w, byte* target, float* codes)
        where TCodes : struct, ICodes
    {
        var scales = stackalloc int[8];
        var minimums = stackalloc int[8];
        var factor = NestedFit.Affine<TCodes>(x, w, 32, 63, starts: 1, scales, minimums);
        SmallBlocks.Put(target, factor.Scale);
        SmallBlocks.Put(target + 2, factor.Minimum);
        var packed = target + 4;
        for (var g = 0; g < 8; g++)
        {
            GroupFit.Codes<TCodes>(x + (g * 32), 32, factor.Scale * scales[g], -(factor.Minimum * minimums[g]), codes + (g * 32));
            if (g < 4)
            {
                packed[g] |= (byte)scales[g];
                packed[g + 4] |= (byte)minimums[g];
            }
            else
            {
                packed[g + 4] |= (byte)((scales[g] & 15) | ((minimums[g] & 15) << 4));
                packed[g - 4] |= (byte)(scales[g] >> 4 << 6);
                packed[g] |= (byte)(minimums[g] >> 4 << 6);
            }
        }
    }

    /// <summary>Bits 2j and 2j + 1 of 32 bytes hold columns 32j to 32j + 31 of a half.</summary>
    private static void BitPair(byte* target, int i, int code) => target[(i / 128 * 32) + (i % 32)] |= (byte)(code << (i % 128 / 32 * 2));
}
