using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Slm.Engine.Formats;

namespace Slm.Engine.Kernels.Panels;

/// <summary>Rearranges stored rows into panels; nothing is lost and nothing is rounded.</summary>
internal static unsafe class PanelPacker
{
    /// <summary>As <see cref="Pack(TensorType,byte*,byte*,int,int,int,int,int)"/>, one word at a time: what the vector code is tested against.</summary>
    internal static void PackWords<TBlock>(TensorType type, byte* source, byte* target, int rows, int columns, int panelRows)
        where TBlock : struct, IStoredBlock => Pack<TBlock>(type, source, target, rows, columns, panelRows, 0, (rows + panelRows - 1) / panelRows);

    /// <summary>Packs whole panels; rows beyond the last of the matrix become zeros.</summary>
    /// <param name="type">Type of the rows.</param>
    /// <param name="source">First stored row of the matrix.</param>
    /// <param name="target">First panel of the matrix.</param>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Columns, a multiple of the type's block.</param>
    /// <param name="panelRows">Rows of a panel.</param>
    /// <param name="begin">First panel to write.</param>
    /// <param name="end">Panel after the last.</param>
    public static void Pack(TensorType type, byte* source, byte* target, int rows, int columns, int panelRows, int begin, int end)
    {
        switch (type)
        {
            case TensorType.Q4_0 or TensorType.IQ4_NL:
                PackVectors<StoredBlocks.Q40>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q4_1:
                PackVectors<StoredBlocks.Q41>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q5_0:
                Pack<StoredBlocks.Q50>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q5_1:
                Pack<StoredBlocks.Q51>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q8_0:
                PackVectors<StoredBlocks.Q80>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q2_K:
                Pack<StoredBlocks.Q2K>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q3_K:
                Pack<StoredBlocks.Q3K>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q4_K:
                PackVectors<StoredBlocks.Q4K>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q5_K:
                Pack<StoredBlocks.Q5K>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            case TensorType.Q6_K:
                Pack<StoredBlocks.Q6K>(type, source, target, rows, columns, panelRows, begin, end);
                break;
            default:
                throw new NotSupportedException($"Tensor type {type} has no panels.");
        }
    }

    /// <summary>As <see cref="Pack{TBlock}"/>, four words of four rows at a time, for panels that the matrix fills.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackVectors<TBlock>(TensorType type, byte* source, byte* target, int rows, int columns, int panelRows, int begin, int end)
        where TBlock : struct, IVectorBlock
    {
        var whole = Sse2.IsSupported && panelRows % 4 == 0 ? Math.Clamp(rows / panelRows, begin, end) : begin;
        Pack<TBlock>(type, source, target, rows, columns, panelRows, whole, end);
        var layout = PanelLayout.Of(type)!;
        nint storedRow = (nint)TensorTypes.RowBytes(type, columns);
        nint storedBlock = TensorTypes.BlockBytes(type);
        var (blocks, parts) = (columns / layout.Elements, layout.Elements / 32);
        var (header, scales) = (layout.Header * panelRows, layout.Scales * panelRows);
        nint group = layout.GroupBytes * panelRows;
        for (var panel = begin; panel < whole; panel++)
        {
            var stored = source + ((nint)(panel * panelRows) * storedRow);
            var at = target + (panel * (nint)layout.RowBytes(columns) * panelRows);
            for (var b = 0; b < blocks; b++, stored += storedBlock)
            {
                for (var row = 0; row < panelRows; row++)
                    TBlock.Header(stored + (row * storedRow), at, row, panelRows);
                at += header;
                for (var part = 0; part < parts; part++, at += group)
                {
                    for (var row = 0; row < panelRows; row++)
                        TBlock.Scales(stored + (row * storedRow), part, at, row, panelRows);
                    for (var row = 0; row < panelRows; row += 4)
                    {
                        var block = stored + (row * storedRow);
                        for (var index = 0; index < TBlock.Vectors; index++)
                        {
                            Turn(
                                TBlock.Words(block, part, index),
                                TBlock.Words(block + storedRow, part, index),
                                TBlock.Words(block + (2 * storedRow), part, index),
                                TBlock.Words(block + (3 * storedRow), part, index),
                                (uint*)(at + scales) + (4 * index * panelRows) + row,
                                panelRows);
                        }
                    }
                }
            }
        }
    }

    /// <summary>Writes four vectors as columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn(Vector128<uint> a, Vector128<uint> b, Vector128<uint> c, Vector128<uint> d, uint* target, int step)
    {
        var (ab, cd) = (Sse2.UnpackLow(a, b).AsUInt64(), Sse2.UnpackLow(c, d).AsUInt64());
        Sse2.UnpackLow(ab, cd).AsUInt32().Store(target);
        Sse2.UnpackHigh(ab, cd).AsUInt32().Store(target + step);
        (ab, cd) = (Sse2.UnpackHigh(a, b).AsUInt64(), Sse2.UnpackHigh(c, d).AsUInt64());
        Sse2.UnpackLow(ab, cd).AsUInt32().Store(target + (2 * step));
        Sse2.UnpackHigh(ab, cd).AsUInt32().Store(target + (3 * step));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TBlock>(TensorType type, byte* source, byte* target, int rows, int columns, int panelRows, int begin, int end)
        where TBlock : struct, IStoredBlock
    {
        var layout = PanelLayout.Of(type)!;
        nint storedRow = (nint)TensorTypes.RowBytes(type, columns);
        nint storedBlock = TensorTypes.BlockBytes(type);
        var blocks = columns / layout.Elements;
        nint panelBytes = (nint)layout.RowBytes(columns) * panelRows;
        nint group = layout.GroupBytes * panelRows;
        var (lowBits, highBits, scales, parts) = (layout.LowBits, layout.HighBits, layout.Scales * panelRows, layout.Elements / 32);
        var header = layout.Header * panelRows;
        var lowBytes = 4 * lowBits * panelRows;
        var codes = stackalloc uint[8];
        for (var panel = begin; panel < end; panel++)
        {
            var panelTarget = target + (panel * panelBytes);
            var count = Math.Min(panelRows, rows - (panel * panelRows));
            if (count < panelRows)
                Unsafe.InitBlockUnaligned(panelTarget, 0, checked((uint)panelBytes));
            // All rows of a block before the next block, so that what is written stays in the nearest cache.
            var stored = source + ((nint)(panel * panelRows) * storedRow);
            var at = panelTarget;
            for (var b = 0; b < blocks; b++, stored += storedBlock)
            {
                for (var row = 0; row < count; row++)
                    TBlock.Header(stored + (row * storedRow), at, row, panelRows);
                at += header;
                for (var part = 0; part < parts; part++, at += group)
                {
                    for (var row = 0; row < count; row++)
                    {
                        var block = stored + (row * storedRow);
                        TBlock.Scales(block, part, at, row, panelRows);
                        TBlock.Codes(block, part, codes);
                        PutLow(codes, (uint*)(at + scales) + row, panelRows, lowBits);
                        if (highBits > 0)
                            PutHigh(codes, (uint*)(at + scales + lowBytes) + row, panelRows, lowBits, highBits);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutLow(uint* codes, uint* target, int step, int bits)
    {
        if (bits == 8)
        {
            for (var g = 0; g < 8; g++)
                target[g * step] = codes[g];
        }
        else if (bits == 4)
        {
            for (var g = 0; g < 4; g++)
                target[g * step] = (codes[g] & 0x0f0f0f0f) | ((codes[g + 4] & 0x0f0f0f0f) << 4);
        }
        else
        {
            for (var g = 0; g < 8; g += 4)
            {
                target[g / 4 * step] = (codes[g] & 0x03030303) | ((codes[g + 1] & 0x03030303) << 2)
                    | ((codes[g + 2] & 0x03030303) << 4) | ((codes[g + 3] & 0x03030303) << 6);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutHigh(uint* codes, uint* target, int step, int lowBits, int highBits)
    {
        if (highBits == 1)
        {
            var word = 0u;
            for (var g = 0; g < 8; g++)
                word |= ((codes[g] >> lowBits) & 0x01010101) << g;
            *target = word;
        }
        else
        {
            for (var g = 0; g < 8; g += 4)
            {
                target[g / 4 * step] = ((codes[g] >> 4) & 0x03030303) | (((codes[g + 1] >> 4) & 0x03030303) << 2)
                    | (((codes[g + 2] >> 4) & 0x03030303) << 4) | (((codes[g + 3] >> 4) & 0x03030303) << 6);
            }
        }
    }
}
