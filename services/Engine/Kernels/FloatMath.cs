using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels;

/// <summary>The one operation in which the float kernels of the instruction sets differ: a · b + c.</summary>
internal interface IFloatMath
{
    static abstract Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c);
}

/// <summary>Fused, one rounding.</summary>
internal readonly struct FusedMath : IFloatMath
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Fma.MultiplyAdd(a, b, c);
}

/// <summary>Two roundings, the same on every processor.</summary>
internal readonly struct PortableMath : IFloatMath
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => (a * b) + c;
}

/// <summary>Reductions of eight lanes in a fixed order, and the exponential.</summary>
internal static class Lanes
{
    /// <summary>Number of floats in a vector.</summary>
    public const int Count = 8;

    /// <summary>The next multiple of <see cref="Count"/>.</summary>
    public static int RoundUp(int count) => (count + Count - 1) / Count * Count;

    /// <summary>((0+4)+(2+6)) + ((1+5)+(3+7)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> v)
    {
        var four = v.GetLower() + v.GetUpper();
        var two = four + Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return (two + Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>Largest lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector256<float> v)
    {
        var four = Vector128.MaxNative(v.GetLower(), v.GetUpper());
        var two = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>e^x for x clamped to [-87, 88]; relative error below 2e-7. NaN stays NaN.</summary>
    /// <remarks>x = n·ln 2 + r, e^r by its Taylor polynomial of degree 7 on |r| ≤ ln 2 / 2, 2^n in the exponent bits.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp<TMath>(Vector256<float> x)
        where TMath : struct, IFloatMath
    {
        x = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(-87f)), Vector256.Create(-87f), x);
        x = Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(88f)), Vector256.Create(88f), x);
        var n = Vector256.Round(x * Vector256.Create(1.44269504f));
        var r = TMath.MultiplyAdd(n, Vector256.Create(-0.693359375f), x);
        r = TMath.MultiplyAdd(n, Vector256.Create(2.12194440e-4f), r);
        var p = Vector256.Create(1f / 5040);
        p = TMath.MultiplyAdd(p, r, Vector256.Create(1f / 720));
        p = TMath.MultiplyAdd(p, r, Vector256.Create(1f / 120));
        p = TMath.MultiplyAdd(p, r, Vector256.Create(1f / 24));
        p = TMath.MultiplyAdd(p, r, Vector256.Create(1f / 6));
        p = TMath.MultiplyAdd(p, r, Vector256.Create(0.5f));
        p = TMath.MultiplyAdd(p, r, Vector256<float>.One);
        p = TMath.MultiplyAdd(p, r, Vector256<float>.One);
        var exponent = (Vector256.ConvertToInt32(n) + Vector256.Create(127)) << 23;
        return p * exponent.AsSingle();
    }
}
