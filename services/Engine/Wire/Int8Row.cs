using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Quantization;

namespace Slm.Engine.Wire;

/// <summary>
/// A row as int8: the 32-bit scales of its blocks of 32, then its values, each rounded as <see cref="ActivationQuantizer"/> does.
/// Quantizing what was read gives the same int8 values and scales again, as long as a block's largest magnitude is above 2^-120,
/// where the quantizer's division overflows.
/// </summary>
internal static unsafe class Int8Row
{
    private const int Block = ActivationQuantizer.BlockSize;
    private const int Together = 32;

    /// <summary>Bytes of a row.</summary>
    public static int Bytes(int width) => checked(width + (Blocks(width) * sizeof(float)));

    /// <summary>Writes a row.</summary>
    public static void Write(ReadOnlySpan<float> row, Span<byte> target)
    {
        var scales = MemoryMarshal.Cast<byte, float>(target[..(Blocks(row.Length) * sizeof(float))]);
        var whole = row.Length / Block;
        var found = stackalloc ActivationScale[Together];
        fixed (float* from = row)
        fixed (byte* to = target[(scales.Length * sizeof(float))..])
        {
            for (var block = 0; block < whole; block += Together)
            {
                var count = Math.Min(Together, whole - block);
                ActivationQuantizer.Quantize(from + (block * Block), (sbyte*)to + (block * Block), found, count * Block);
                for (var i = 0; i < count; i++)
                    scales[block + i] = found[i].Scale;
            }

            if (whole == scales.Length)
                return;
            var values = stackalloc float[Block];
            var bytes = stackalloc sbyte[Block];
            var rest = row[(whole * Block)..];
            rest.CopyTo(new Span<float>(values, Block));
            new Span<float>(values + rest.Length, Block - rest.Length).Clear();
            ActivationQuantizer.Quantize(values, bytes, found, Block);
            new ReadOnlySpan<byte>(bytes, rest.Length).CopyTo(new Span<byte>(to + (whole * Block), rest.Length));
            scales[whole] = found[0].Scale;
        }
    }

    /// <summary>Reads a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Read(ReadOnlySpan<byte> source, Span<float> row)
    {
        var scales = MemoryMarshal.Cast<byte, float>(source[..(Blocks(row.Length) * sizeof(float))]);
        fixed (byte* start = source[(scales.Length * sizeof(float))..])
        fixed (float* to = row)
        {
            var from = (sbyte*)start;
            for (var block = 0; block < scales.Length; block++)
            {
                var i = block * Block;
                var end = Math.Min(row.Length, i + Block);
                for (; i + Vector128<sbyte>.Count <= end; i += Vector128<sbyte>.Count)
                {
                    var (low, high) = Vector128.Widen(Vector128.Load(from + i));
                    Store(low, scales[block], to + i);
                    Store(high, scales[block], to + i + Vector128<short>.Count);
                }

                for (; i < end; i++)
                    to[i] = from[i] * scales[block];
            }
        }
    }

    private static int Blocks(int width) => (width + Block - 1) / Block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<short> values, float scale, float* target)
    {
        var (low, high) = Vector128.Widen(values);
        (Vector256.ConvertToSingle(Vector256.Create(low, high)) * Vector256.Create(scale)).Store(target);
    }
}
