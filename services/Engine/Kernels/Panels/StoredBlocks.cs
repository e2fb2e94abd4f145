using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels.Panels;

/// <summary>How a block lies in a file: what the packer takes out of it.</summary>
internal unsafe interface IStoredBlock
{
    /// <summary>Writes what the row has in front of a stored block.</summary>
    static abstract void Header(byte* block, byte* target, int row, int rows);

    /// <summary>Writes the row's scales of 32 columns.</summary>
    static abstract void Scales(byte* block, int part, byte* target, int row, int rows);

    /// <summary>The codes of 32 columns, four to a word, unsigned (Q8_0: as stored).</summary>
    static abstract void Codes(byte* block, int part, uint* codes);
}

/// <summary>A format whose codes become words of a panel by shifts and masks of whole vectors.</summary>
internal unsafe interface IVectorBlock : IStoredBlock
{
    /// <summary>Vectors of four words for 32 columns.</summary>
    static abstract int Vectors { get; }

    /// <summary>Words 4 · <paramref name="index"/> to 4 · index + 3 of the row in a panel.</summary>
    static abstract Vector128<uint> Words(byte* block, int part, int index);
}

/// <summary>The block formats of GGUF (ggml-common.h of llama.cpp defines them).</summary>
internal static unsafe class StoredBlocks
{
    private const uint Nibbles = 0x0f0f0f0f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half(byte* block, byte* target, int row) => ((ushort*)target)[row] = *(ushort*)block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NibbleCodes(byte* packed, uint* codes)
    {
        for (var i = 0; i < 4; i++)
        {
            var word = ((uint*)packed)[i];
            codes[i] = word & Nibbles;
            codes[i + 4] = (word >> 4) & Nibbles;
        }
    }

    /// <summary>Adds bit c of a 32-bit mask to code c, as its fifth bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FifthBits(uint mask, uint* codes)
    {
        for (var i = 0; i < 8; i++, mask >>= 4)
            codes[i] |= ((mask & 1) | ((mask & 2) << 7) | ((mask & 4) << 14) | ((mask & 8) << 21)) << 4;
    }

    /// <summary>The 6-bit scale and minimum of a part of Q4_K or Q5_K.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SixBitScales(byte* packed, int part, byte* target, int row, int rows)
    {
        if (part < 4)
        {
            target[row] = (byte)(packed[part] & 63);
            target[rows + row] = (byte)(packed[part + 4] & 63);
        }
        else
        {
            target[row] = (byte)((packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4));
            target[rows + row] = (byte)((packed[part + 4] >> 4) | (packed[part] >> 6 << 4));
        }
    }

    /// <summary>F16 scale, 16 bytes of nibbles: columns 0-15 low, 16-31 high. Q4_0 and IQ4_NL.</summary>
    internal readonly struct Q40 : IVectorBlock
    {
        public static int Vectors => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> Words(byte* block, int part, int index) => Vector128.Load((uint*)(block + 2));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => Half(block, target, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes) => NibbleCodes(block + 2, codes);
    }

    /// <summary>As Q4_0 with an F16 minimum behind the scale.</summary>
    internal readonly struct Q41 : IVectorBlock
    {
        public static int Vectors => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> Words(byte* block, int part, int index) => Vector128.Load((uint*)(block + 4));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows)
        {
            Half(block, target, row);
            Half(block + 2, target + (2 * rows), row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes) => NibbleCodes(block + 4, codes);
    }

    /// <summary>F16 scale, 32 fifth bits, nibbles.</summary>
    internal readonly struct Q50 : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => Half(block, target, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            NibbleCodes(block + 6, codes);
            FifthBits(*(uint*)(block + 2), codes);
        }
    }

    /// <summary>F16 scale and minimum, 32 fifth bits, nibbles.</summary>
    internal readonly struct Q51 : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => Q41.Scales(block, part, target, row, rows);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            NibbleCodes(block + 8, codes);
            FifthBits(*(uint*)(block + 4), codes);
        }
    }

    /// <summary>F16 scale, 32 signed bytes.</summary>
    internal readonly struct Q80 : IVectorBlock
    {
        public static int Vectors => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> Words(byte* block, int part, int index) => Vector128.Load((uint*)(block + 2 + (16 * index)));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => Half(block, target, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            for (var i = 0; i < 8; i++)
                codes[i] = ((uint*)(block + 2))[i];
        }
    }

    /// <summary>F16 scale and scale of minimums, 12 bytes of 6-bit pairs, nibbles: 32 columns low, the next 32 high.</summary>
    internal readonly struct Q4K : IVectorBlock
    {
        public static int Vectors => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> Words(byte* block, int part, int index)
        {
            var packed = (uint*)(block + 16 + (part / 2 * 32));
            var shift = part % 2 * 4;
            var mask = Vector128.Create(Nibbles);
            return ((Vector128.Load(packed) >>> shift) & mask) | (((Vector128.Load(packed + 4) >>> shift) & mask) << 4);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
            Half(block, target, row);
            Half(block + 2, target + (2 * rows), row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => SixBitScales(block + 4, part, target, row, rows);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            var packed = (uint*)(block + 16 + (part / 2 * 32));
            for (var i = 0; i < 8; i++)
                codes[i] = (packed[i] >> (part % 2 * 4)) & Nibbles;
        }
    }

    /// <summary>As Q4_K with 32 bytes of fifth bits before the nibbles: bit p of byte c belongs to column c of part p.</summary>
    internal readonly struct Q5K : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows) => Q4K.Header(block, target, row, rows);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows) => SixBitScales(block + 4, part, target, row, rows);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            var high = (uint*)(block + 16);
            var packed = (uint*)(block + 48 + (part / 2 * 32));
            for (var i = 0; i < 8; i++)
                codes[i] = ((packed[i] >> (part % 2 * 4)) & Nibbles) | (((high[i] >> part) & 0x01010101) << 4);
        }
    }

    /// <summary>128 bytes of nibbles, 64 of upper bit pairs, 16 signed scales, F16 scale; two halves of 128 columns.</summary>
    internal readonly struct Q6K : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows) => Half(block + 208, target, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows)
        {
            target[2 * row] = block[192 + (2 * part)];
            target[(2 * row) + 1] = block[193 + (2 * part)];
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            var (half, quarter) = (part / 4, part % 4);
            var low = (uint*)(block + (half * 64) + (quarter % 2 * 32));
            var high = (uint*)(block + 128 + (half * 32));
            for (var i = 0; i < 8; i++)
                codes[i] = ((low[i] >> (quarter / 2 * 4)) & Nibbles) | (((high[i] >> (2 * quarter)) & 0x03030303) << 4);
        }
    }

    /// <summary>32 bytes of high bits, 64 of bit pairs, 12 of 6-bit scales plus 32, F16 scale.</summary>
    internal readonly struct Q3K : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows) => Half(block + 108, target, row);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows)
        {
            for (var i = 0; i < 2; i++)
            {
                var index = (2 * part) + i;
                var low = (block[96 + (index % 8)] >> (index / 8 * 4)) & 15;
                var high = (block[104 + (index % 4)] >> (index / 4 * 2)) & 3;
                target[(2 * row) + i] = (byte)((low | (high << 4)) - 32);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            var high = (uint*)block;
            var low = (uint*)(block + 32 + (part / 4 * 32));
            for (var i = 0; i < 8; i++)
                codes[i] = ((low[i] >> (part % 4 * 2)) & 0x03030303) | (((high[i] >> part) & 0x01010101) << 2);
        }
    }

    /// <summary>16 bytes of 4-bit scale and minimum, 64 of bit pairs, F16 scale and scale of minimums.</summary>
    internal readonly struct Q2K : IStoredBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Header(byte* block, byte* target, int row, int rows)
        {
            Half(block + 80, target, row);
            Half(block + 82, target + (2 * rows), row);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Scales(byte* block, int part, byte* target, int row, int rows)
        {
            target[2 * row] = block[2 * part];
            target[(2 * row) + 1] = block[(2 * part) + 1];
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Codes(byte* block, int part, uint* codes)
        {
            var low = (uint*)(block + 16 + (part / 4 * 32));
            for (var i = 0; i < 8; i++)
                codes[i] = (low[i] >> (part % 4 * 2)) & 0x03030303;
        }
    }
}
