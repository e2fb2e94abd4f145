using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels;

/// <summary>What a KV cache holds of a number: the number, or an integer whose scale is that of its position and head.</summary>
/// <typeparam name="T">The stored element.</typeparam>
internal unsafe interface IKvCell<T>
    where T : unmanaged
{
    /// <summary>Whether cells are integers, with scales behind them.</summary>
    static abstract bool Scaled { get; }

    /// <summary>Eight elements as floats, unscaled.</summary>
    static abstract Vector256<float> Load(T* cells);
}

/// <summary>32-bit floats.</summary>
internal readonly unsafe struct FloatCell : IKvCell<float>
{
    public static bool Scaled => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* cells) => Vector256.Load(cells);
}

/// <summary>16-bit integers.</summary>
internal readonly unsafe struct ShortCell : IKvCell<short>
{
    public static bool Scaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(short* cells)
    {
        if (Avx2.IsSupported)
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(cells));
        var (lower, upper) = Vector128.Widen(Vector128.Load(cells));
        return Vector256.ConvertToSingle(Vector256.Create(lower, upper));
    }
}

/// <summary>8-bit integers.</summary>
internal readonly unsafe struct ByteCell : IKvCell<sbyte>
{
    public static bool Scaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(sbyte* cells)
    {
        if (Avx2.IsSupported)
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(cells));
        var (lower, upper) = Vector128.Widen(Vector128.WidenLower(Vector128.CreateScalar(*(long*)cells).AsSByte()));
        return Vector256.ConvertToSingle(Vector256.Create(lower, upper));
    }
}
