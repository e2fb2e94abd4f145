using System.Numerics.Tensors;

namespace Slm.Engine.Wire;

/// <summary>A row as halves. Residual streams have rows beyond what a half can say; those are scaled by a power of two, which is exact.</summary>
internal static class HalfRow
{
    /// <summary>Largest exponent by which <see cref="Write"/> scales: that of a row with the largest float.</summary>
    public const int MaxExponent = 127 - LargestExponent;

    /// <summary>Exponent of a scaled row's largest value: one below a half's largest, so that rounding up stays finite.</summary>
    private const int LargestExponent = 14;

    private const float LargestHalf = 65504;

    /// <summary>What rounds to 2^15 from here on.</summary>
    private const float RoundsUp = 32760;

    private const int Piece = 256;

    /// <summary>Writes the row times 2^-e, rounded to nearest even; returns e, 0 unless a finite value's magnitude is above 65504.</summary>
    public static int Write(ReadOnlySpan<float> row, Span<Half> target)
    {
        var largest = MathF.Abs(TensorPrimitives.MaxMagnitude(row));
        var exponent = largest <= LargestHalf ? 0 : ExponentOf(row);
        if (exponent == 0)
        {
            TensorPrimitives.ConvertToHalf(row, target);
            return 0;
        }

        Span<float> scaled = stackalloc float[Piece];
        for (var i = 0; i < row.Length; i += Piece)
        {
            var count = Math.Min(Piece, row.Length - i);
            TensorPrimitives.Multiply(row.Slice(i, count), MathF.ScaleB(1, -exponent), scaled[..count]);
            TensorPrimitives.ConvertToHalf(scaled[..count], target[i..]);
        }

        return exponent;
    }

    /// <summary>Reads what <see cref="Write"/> wrote, without its scale.</summary>
    public static void Read(ReadOnlySpan<Half> row, Span<float> target) => TensorPrimitives.ConvertToSingle(row, target);

    /// <summary>Rounds a row to what halves say exactly: writing it from then on loses nothing.</summary>
    /// <param name="row">The row.</param>
    /// <param name="scratch">As many halves.</param>
    public static void Round(Span<float> row, Span<Half> scratch)
    {
        var exponent = Write(row, scratch);
        Read(scratch, row);
        if (exponent > 0)
            Scale(row, exponent);
    }

    /// <summary>Multiplies a row by 2^e. What only rounding has put beyond the largest float becomes that.</summary>
    public static void Scale(Span<float> row, int exponent)
    {
        var factor = MathF.ScaleB(1, exponent);
        foreach (ref var value in row)
        {
            var scaled = value * factor;
            value = float.IsInfinity(scaled) && float.IsFinite(value) ? MathF.CopySign(float.MaxValue, value) : scaled;
        }
    }

    /// <summary>Exponent that brings the largest finite value below 2^15, rounded as well, so that the rounded row has the same one.</summary>
    private static int ExponentOf(ReadOnlySpan<float> row)
    {
        var largest = 0f;
        foreach (var value in row)
        {
            if (float.IsFinite(value))
                largest = MathF.Max(largest, MathF.Abs(value));
        }

        if (largest <= LargestHalf)
            return 0;
        var exponent = MathF.ILogB(largest) - LargestExponent;
        return MathF.ScaleB(largest, -exponent) < RoundsUp ? exponent : Math.Min(MaxExponent, exponent + 1);
    }
}
