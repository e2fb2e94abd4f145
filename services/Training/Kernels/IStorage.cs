using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Slm.Training.Kernels;

/// <summary>How activations and gradients lie in memory; arithmetic is always F32.</summary>
internal unsafe interface IStorage
{
    /// <summary>The tensor type libtorch multiplies in.</summary>
    static abstract ScalarType Type { get; }

    /// <summary>16 elements from element <paramref name="index"/> on.</summary>
    static abstract Vector512<float> Load(void* data, nint index);

    /// <summary>Writes 16 elements from element <paramref name="index"/> on.</summary>
    static abstract void Store(void* data, nint index, Vector512<float> value);

    /// <summary>One element.</summary>
    static abstract float Get(void* data, nint index);

    /// <summary>Writes one element.</summary>
    static abstract void Set(void* data, nint index, float value);
}

/// <summary>F32 as it is.</summary>
internal readonly unsafe struct SingleStorage : IStorage
{
    public static ScalarType Type => ScalarType.Float32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* data, nint index) => Vector512.Load((float*)data + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(void* data, nint index, Vector512<float> value) => value.Store((float*)data + index);

    public static float Get(void* data, nint index) => ((float*)data)[index];

    public static void Set(void* data, nint index, float value) => ((float*)data)[index] = value;
}

/// <summary>BF16: the upper half of an F32, rounded to nearest even.</summary>
internal readonly unsafe struct BrainStorage : IStorage
{
    public static ScalarType Type => ScalarType.BFloat16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* data, nint index)
    {
        var half = Vector256.Load((ushort*)data + index);
        var wide = Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(half)
            : Vector512.Create(Vector256.WidenLower(half), Vector256.WidenUpper(half));
        return Vector512.ShiftLeft(wide, 16).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(void* data, nint index, Vector512<float> value)
    {
        var bits = value.AsUInt32();
        var odd = Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u);
        var rounded = Vector512.ShiftRightLogical(bits + Vector512.Create(0x7fffu) + odd, 16);
        var half = Avx512F.IsSupported
            ? Avx512F.ConvertToVector256UInt16(rounded)
            : Vector256.Narrow(rounded.GetLower(), rounded.GetUpper());
        half.Store((ushort*)data + index);
    }

    public static float Get(void* data, nint index) => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16);

    public static void Set(void* data, nint index, float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        ((ushort*)data)[index] = (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}
