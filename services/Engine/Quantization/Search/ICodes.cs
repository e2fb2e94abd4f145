using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Quantization.Search;

/// <summary>The values that a code of a format stands for, before scale and minimum.</summary>
internal interface ICodes
{
    /// <summary>The value of largest magnitude; the first scale tried maps the largest weight of a group there.</summary>
    static abstract float Extreme { get; }

    /// <summary>Scales tried, as shares of <see cref="Extreme"/>: the smallest.</summary>
    static abstract float LeastShare { get; }

    /// <summary>Scales tried, as shares of <see cref="Extreme"/>: the largest.</summary>
    static abstract float LargestShare { get; }

    /// <summary>The nearest value of a code.</summary>
    static abstract Vector256<float> Nearest(Vector256<float> value);
}

/// <summary>Whole numbers -8 to 7.</summary>
internal readonly struct SignedFourBits : ICodes
{
    public static float Extreme => 8;

    public static float LeastShare => 0.72f;

    public static float LargestShare => 1.12f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, -8, 7);
}

/// <summary>Whole numbers -16 to 15.</summary>
internal readonly struct SignedFiveBits : ICodes
{
    public static float Extreme => 16;

    public static float LeastShare => 0.82f;

    public static float LargestShare => 1.06f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, -16, 15);
}

/// <summary>Whole numbers -127 to 127: a product of two such bytes needs no more than 15 bits.</summary>
internal readonly struct SignedEightBits : ICodes
{
    public static float Extreme => 127;

    public static float LeastShare => 0.985f;

    public static float LargestShare => 1.005f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, -127, 127);
}

/// <summary>Whole numbers -4 to 3.</summary>
internal readonly struct SignedThreeBits : ICodes
{
    public static float Extreme => 4;

    public static float LeastShare => 0.5f;

    public static float LargestShare => 1.2f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, -4, 3);
}

/// <summary>Whole numbers -32 to 31.</summary>
internal readonly struct SignedSixBits : ICodes
{
    public static float Extreme => 32;

    public static float LeastShare => 0.92f;

    public static float LargestShare => 1.03f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, -32, 31);
}

/// <summary>Whole numbers 0 to 3.</summary>
internal readonly struct TwoBits : ICodes
{
    public static float Extreme => 3;

    public static float LeastShare => 0.5f;

    public static float LargestShare => 1.2f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, 0, 3);
}

/// <summary>Whole numbers 0 to 15.</summary>
internal readonly struct FourBits : ICodes
{
    public static float Extreme => 15;

    public static float LeastShare => 0.8f;

    public static float LargestShare => 1.1f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, 0, 15);
}

/// <summary>Whole numbers 0 to 31.</summary>
internal readonly struct FiveBits : ICodes
{
    public static float Extreme => 31;

    public static float LeastShare => 0.9f;

    public static float LargestShare => 1.05f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value) => Rounding.Clamp(value, 0, 31);
}

/// <summary>The sixteen values of IQ4_NL.</summary>
internal readonly struct NonLinearFourBits : ICodes
{
    public static float Extreme => 127;

    public static float LeastShare => 0.75f;

    public static float LargestShare => 1.12f;

    /// <summary>Compares with the midpoint of every two neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> value)
    {
        var values = RowDequantizer.NonLinearValues;
        var nearest = Vector256.Create((float)values[0]);
        for (var i = 1; i < 16; i++)
        {
            var above = Vector256.GreaterThan(value, Vector256.Create(0.5f * (values[i - 1] + values[i])));
            nearest = Vector256.ConditionalSelect(above, Vector256.Create((float)values[i]), nearest);
        }

        return nearest;
    }
}

/// <summary>Rounding to whole numbers of a range.</summary>
internal static class Rounding
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Clamp(Vector256<float> value, float least, float most) =>
        Vector256.Min(Vector256.Max(Vector256.Round(value), Vector256.Create(least)), Vector256.Create(most));
}
