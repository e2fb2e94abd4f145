using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Quantization;

/// <summary>Exact conversion of finite 16-bit floats to 32 bits, eight at a time and one at a time.</summary>
/// <remarks>F16: exponent and mantissa are moved into place and rescaled by 2^112, which also makes subnormals right.</remarks>
internal static unsafe class HalfFormats
{
    private const float Rescale = 5.192296858534828e33f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float F16(ushort bits)
    {
        var magnitude = BitConverter.Int32BitsToSingle((bits & 0x7fff) << 13) * Rescale;
        return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(magnitude) | ((bits & 0x8000) << 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float BF16(ushort bits) => BitConverter.Int32BitsToSingle(bits << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> F16(ushort* source)
    {
        var bits = Widen(source);
        var magnitude = ((bits & Vector256.Create(0x7fff)) << 13).AsSingle() * Vector256.Create(Rescale);
        return (magnitude.AsInt32() | ((bits & Vector256.Create(0x8000)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> BF16(ushort* source) => (Widen(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(ushort* source)
    {
        if (Avx2.IsSupported)
            return Avx2.ConvertToVector256Int32(source);
        var (lower, upper) = Vector128.Widen(Vector128.Load(source));
        return Vector256.Create(lower, upper).AsInt32();
    }
}
