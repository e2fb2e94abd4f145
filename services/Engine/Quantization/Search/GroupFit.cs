using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Quantization.Search;

/// <summary>
/// Least squares over a group of weights x with importances w: the scale s and minimum m, and with them the codes q, that make
/// Σ w·(s·q + m - x)² small. For given codes s and m follow from the normal equations; which codes to start from is searched.
/// </summary>
/// <remarks>Groups have a multiple of 8 elements. The order of every sum is fixed.</remarks>
internal static unsafe class GroupFit
{
    /// <summary>Scales tried per direction.</summary>
    private const int Trials = 24;

    /// <summary>Times that codes and scale are fitted to each other.</summary>
    private const int Refinements = 3;

    /// <summary>Where the lowest and the highest code may lie, in steps inside the range of the weights.</summary>
    private static readonly float[] Insets = [-0.25f, 0, 0.25f, 0.5f, 0.8f];

    /// <summary>The error of the best codes for a scale and a minimum, rounded exactly as the stored group will be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Error<TCodes>(float* x, float* w, int count, float scale, float minimum)
        where TCodes : struct, ICodes
    {
        var (inverse, s, m) = (Vector256.Create(scale == 0 ? 0 : 1 / scale), Vector256.Create(scale), Vector256.Create(minimum));
        var sum = Vector256<float>.Zero;
        for (var i = 0; i < count; i += 8)
        {
            var value = Vector256.Load(x + i);
            var difference = (TCodes.Nearest((value - m) * inverse) * s) + m - value;
            sum += Vector256.Load(w + i) * difference * difference;
        }

        return Vector256.Sum(sum);
    }

    /// <summary>Writes the best codes for a scale and a minimum.</summary>
    public static void Codes<TCodes>(float* x, int count, float scale, float minimum, float* codes)
        where TCodes : struct, ICodes
    {
        var (inverse, m) = (Vector256.Create(scale == 0 ? 0 : 1 / scale), Vector256.Create(minimum));
        for (var i = 0; i < count; i += 8)
            TCodes.Nearest((Vector256.Load(x + i) - m) * inverse).Store(codes + i);
    }

    /// <summary>The sums of the normal equations for the codes of a scale and a minimum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static CodeSums Sums<TCodes>(float* x, float* w, int count, float inverse, float minimum)
        where TCodes : struct, ICodes
    {
        var (scale, m) = (Vector256.Create(inverse), Vector256.Create(minimum));
        var (q1, q2, qx) = (Vector256<float>.Zero, Vector256<float>.Zero, Vector256<float>.Zero);
        for (var i = 0; i < count; i += 8)
        {
            var value = Vector256.Load(x + i);
            var code = TCodes.Nearest((value - m) * scale);
            var weighted = Vector256.Load(w + i) * code;
            q1 += weighted;
            q2 += weighted * code;
            qx += weighted * value;
        }

        return new CodeSums(Vector256.Sum(q1), Vector256.Sum(q2), Vector256.Sum(qx));
    }

    /// <summary>A scale without minimum: the best of a grid in both directions, as least squares has it.</summary>
    public static float Scale<TCodes>(float* x, float* w, int count)
        where TCodes : struct, ICodes
    {
        var largest = Largest(x, count);
        if (MathF.Abs(largest) < 1e-30f)
            return 0;
        var (best, gain) = (0f, 0f);
        for (var trial = 0; trial <= Trials; trial++)
        {
            var share = TCodes.LeastShare + ((TCodes.LargestShare - TCodes.LeastShare) * trial / Trials);
            for (var direction = -1; direction <= 1; direction += 2)
            {
                var sums = Sums<TCodes>(x, w, count, direction * share * TCodes.Extreme / largest, 0);
                if (sums.Squares > 0 && sums.Products * sums.Products > gain * sums.Squares)
                    (best, gain) = (sums.Products / sums.Squares, sums.Products * sums.Products / sums.Squares);
            }
        }

        return best;
    }

    /// <summary>The best F16 scale without minimum; no worse than mapping the largest weight to the extreme code.</summary>
    public static float HalfScale<TCodes>(float* x, float* w, int count)
        where TCodes : struct, ICodes
    {
        var best = Half(-Largest(x, count) / TCodes.Extreme);
        var error = Error<TCodes>(x, w, count, best, 0);
        var scale = Half(Scale<TCodes>(x, w, count));
        for (var i = 0; i < Refinements && scale != 0; i++)
        {
            var candidate = Error<TCodes>(x, w, count, scale, 0);
            if (candidate < error)
                (best, error) = (scale, candidate);
            else if (i > 0)
                break;
            var sums = Sums<TCodes>(x, w, count, 1 / scale, 0);
            scale = sums.Squares > 0 ? Half(sums.Products / sums.Squares) : 0;
        }

        return best;
    }

    /// <summary>Scale and minimum.</summary>
    /// <param name="x">The weights.</param>
    /// <param name="w">Their importances.</param>
    /// <param name="count">Number of weights.</param>
    /// <param name="belowZero">The minimum may not be positive.</param>
    /// <param name="half">Both are rounded to F16.</param>
    public static (float Scale, float Minimum) Affine<TCodes>(float* x, float* w, int count, bool belowZero, bool half)
        where TCodes : struct, ICodes
    {
        var (low, high, sumW, sumX) = (x[0], x[0], 0f, 0f);
        for (var i = 0; i < count; i++)
        {
            low = MathF.Min(low, x[i]);
            high = MathF.Max(high, x[i]);
            sumW += w[i];
            sumX += w[i] * x[i];
        }

        if (belowZero)
            low = MathF.Min(low, 0);
        float Stored(float value) => half ? Half(value) : value;
        if (high - low < 1e-30f)
            return (0, Stored(low));
        var step = (high - low) / TCodes.Extreme;
        var best = (Scale: Stored(step), Minimum: Stored(low));
        var error = Error<TCodes>(x, w, count, best.Scale, best.Minimum);
        foreach (var lower in Insets)
        {
            foreach (var upper in Insets)
            {
                var minimum = low + (lower * step);
                if (belowZero && minimum > 0)
                    continue;
                Try((high - (upper * step) - minimum) / TCodes.Extreme, minimum);
            }
        }

        for (var i = 0; i < Refinements; i++)
        {
            if (!Try(best.Scale, best.Minimum))
                break;
        }

        return best;

        bool Try(float scale, float minimum)
        {
            if (scale <= 0)
                return false;
            var fitted = Solve(Sums<TCodes>(x, w, count, 1 / scale, minimum), sumW, sumX, belowZero);
            var stored = (Scale: Stored(fitted.Scale), Minimum: Stored(fitted.Minimum));
            if (stored.Scale <= 0)
                return false;
            var candidate = Error<TCodes>(x, w, count, stored.Scale, stored.Minimum);
            if (candidate >= error)
                return false;
            (best, error) = (stored, candidate);
            return true;
        }
    }

    /// <summary>The value of largest magnitude, with its sign.</summary>
    public static float Largest(float* x, int count)
    {
        var largest = 0f;
        for (var i = 0; i < count; i++)
        {
            if (MathF.Abs(x[i]) > MathF.Abs(largest))
                largest = x[i];
        }

        return largest;
    }

    /// <summary>Rounded to F16, within its range.</summary>
    public static float Half(float value) => (float)(Half)Math.Clamp(value, -65504f, 65504f);

    private static (float Scale, float Minimum) Solve(CodeSums sums, float sumW, float sumX, bool belowZero)
    {
        var determinant = ((double)sumW * sums.Squares) - ((double)sums.Codes * sums.Codes);
        if (determinant > 0)
        {
            var scale = (((double)sumW * sums.Products) - ((double)sumX * sums.Codes)) / determinant;
            var minimum = (((double)sums.Squares * sumX) - ((double)sums.Codes * sums.Products)) / determinant;
            if (!belowZero || minimum <= 0)
                return ((float)scale, (float)minimum);
        }

        return (sums.Squares > 0 ? sums.Products / sums.Squares : 0, 0);
    }
}

/// <summary>Σ w·q, Σ w·q² and Σ w·q·x of a group.</summary>
internal readonly record struct CodeSums(float Codes, float Squares, float Products);
