using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels;

/// <summary>A weight format of 32-element blocks: one F16 scale, then the elements as small signed integers.</summary>
internal unsafe interface IInt8Weight
{
    /// <summary>Bytes of a block.</summary>
    static abstract int BlockBytes { get; }

    /// <summary>The 32 integers in order.</summary>
    static abstract Vector256<sbyte> Load(byte* block);
}

/// <summary>Q8_0: 2 bytes of scale, 32 signed bytes.</summary>
internal readonly unsafe struct Q80Weight : IInt8Weight
{
    public static int BlockBytes => 34;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Load(byte* block) => Vector256.Load((sbyte*)(block + 2));
}

/// <summary>Q4_0: 2 bytes of scale, 16 bytes whose low nibbles are elements 0-15 and high nibbles 16-31, each plus 8.</summary>
internal readonly unsafe struct Q40Weight : IInt8Weight
{
    public static int BlockBytes => 18;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<sbyte> Load(byte* block)
    {
        var packed = Vector128.Load(block + 2);
        var low = packed & Vector128.Create((byte)15);
        var high = (packed.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15);
        return Vector256.Create(low, high).AsSByte() - Vector256.Create((sbyte)8);
    }
}

/// <summary>What the block kernels share.</summary>
internal static unsafe class Int8Blocks
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scale(byte* block) => HalfFormats.F16(*(ushort*)block);
}
