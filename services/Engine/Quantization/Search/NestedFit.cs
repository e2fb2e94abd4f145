namespace Slm.Engine.Quantization.Search;

/// <summary>
/// A super-block of 256 weights whose groups have whole-number scales (and minimums), times F16 factors of the super-block.
/// The groups are fitted alone, their scales rounded, the neighbouring whole numbers tried, and the factors fitted to the
/// codes that result, as long as the error falls.
/// </summary>
internal static unsafe class NestedFit
{
    /// <summary>Weights of a super-block.</summary>
    public const int Elements = 256;

    private const int Rounds = 3;
    private const int MaxGroups = 16;

    /// <summary>Scales only: weight = d · scale · code.</summary>
    /// <param name="x">[256] weights.</param>
    /// <param name="w">[256] importances.</param>
    /// <param name="group">Weights of a group.</param>
    /// <param name="least">Smallest scale; the largest is -least - 1.</param>
    /// <param name="reach">Neighbours of a scale that are tried.</param>
    /// <param name="scales">Result: a scale per group.</param>
    /// <returns>The factor d, an F16 value.</returns>
    public static float Symmetric<TCodes>(float* x, float* w, int group, int least, int reach, int* scales)
        where TCodes : struct, ICodes
    {
        var groups = Elements / group;
        var fitted = stackalloc float[MaxGroups];
        for (var g = 0; g < groups; g++)
            fitted[g] = GroupFit.Scale<TCodes>(x + (g * group), w + (g * group), group);
        var largest = GroupFit.Largest(fitted, groups);
        new Span<int>(scales, groups).Clear();
        var trial = stackalloc int[MaxGroups];
        var (best, error) = (0f, float.PositiveInfinity);
        for (var direction = 0; direction < 2; direction++)
        {
            // The largest scale becomes the smallest whole number, or the largest one.
            var factor = GroupFit.Half(largest / (direction == 0 ? least : -least - 1));
            for (var round = 0; round < Rounds && factor != 0; round++)
            {
                var sum = 0f;
                for (var g = 0; g < groups; g++)
                {
                    var ideal = (int)Math.Clamp(MathF.Round(fitted[g] / factor), least, -least - 1);
                    sum += Nearby<TCodes>(x + (g * group), w + (g * group), group, factor, round == 0 ? ideal : trial[g], least, reach, out trial[g]);
                }

                if (sum >= error)
                    break;
                (best, error) = (factor, sum);
                new Span<int>(trial, groups).CopyTo(new Span<int>(scales, groups));
                factor = Factor<TCodes>(x, w, group, factor, trial);
            }
        }

        return best;
    }

    /// <summary>Scales and minimums: weight = d · scale · code - dmin · minimum.</summary>
    /// <param name="x">[256] weights.</param>
    /// <param name="w">[256] importances.</param>
    /// <param name="group">Weights of a group.</param>
    /// <param name="most">Largest scale and minimum.</param>
    /// <param name="starts">Whole numbers that the largest scale and minimum are mapped to at first: from <paramref name="most"/> downwards.</param>
    /// <param name="scales">Result: a scale per group.</param>
    /// <param name="minimums">Result: a minimum per group.</param>
    /// <returns>The factors d and dmin, F16 values.</returns>
    public static (float Scale, float Minimum) Affine<TCodes>(float* x, float* w, int group, int most, int starts, int* scales, int* minimums)
        where TCodes : struct, ICodes
    {
        var groups = Elements / group;
        var fitted = stackalloc float[MaxGroups];
        var low = stackalloc float[MaxGroups];
        var (largest, deepest) = (0f, 0f);
        for (var g = 0; g < groups; g++)
        {
            (fitted[g], var minimum) = GroupFit.Affine<TCodes>(x + (g * group), w + (g * group), group, belowZero: true, half: false);
            low[g] = -minimum;
            largest = MathF.Max(largest, fitted[g]);
            deepest = MathF.Max(deepest, low[g]);
        }

        new Span<int>(scales, groups).Clear();
        new Span<int>(minimums, groups).Clear();
        var trial = stackalloc int[MaxGroups];
        var depth = stackalloc int[MaxGroups];
        var (best, error) = ((Scale: 0f, Minimum: 0f), float.PositiveInfinity);
        for (var start = 0; start < starts; start++)
        {
            var factor = (Scale: GroupFit.Half(largest / (most - start)), Minimum: GroupFit.Half(deepest / (most - start)));
            for (var round = 0; round < Rounds; round++)
            {
                var sum = 0f;
                for (var g = 0; g < groups; g++)
                {
                    if (round == 0)
                    {
                        trial[g] = Whole(fitted[g], factor.Scale, most);
                        depth[g] = Whole(low[g], factor.Minimum, most);
                    }

                    sum += Nearby<TCodes>(x + (g * group), w + (g * group), group, factor, most, ref trial[g], ref depth[g]);
                }

                if (sum >= error)
                    break;
                (best, error) = (factor, sum);
                new Span<int>(trial, groups).CopyTo(new Span<int>(scales, groups));
                new Span<int>(depth, groups).CopyTo(new Span<int>(minimums, groups));
                factor = Factors<TCodes>(x, w, group, factor, trial, depth);
            }
        }

        return best;
    }

    private static int Whole(float value, float factor, int most) => factor == 0 ? 0 : (int)Math.Clamp(MathF.Round(value / factor), 0, most);

    /// <summary>The best scale near a given one.</summary>
    private static float Nearby<TCodes>(float* x, float* w, int count, float factor, int around, int least, int reach, out int best)
        where TCodes : struct, ICodes
    {
        var error = float.PositiveInfinity;
        best = 0;
        for (var scale = Math.Max(least, around - reach); scale <= Math.Min(-least - 1, around + reach); scale++)
        {
            var candidate = GroupFit.Error<TCodes>(x, w, count, factor * scale, 0);
            if (candidate < error)
                (best, error) = (scale, candidate);
        }

        return error;
    }

    /// <summary>The best scale and minimum near given ones, by steps to the best neighbour.</summary>
    private static float Nearby<TCodes>(float* x, float* w, int count, (float Scale, float Minimum) factor, int most, ref int scale, ref int minimum)
        where TCodes : struct, ICodes
    {
        var error = GroupFit.Error<TCodes>(x, w, count, factor.Scale * scale, -(factor.Minimum * minimum));
        for (var step = 0; step < 4; step++)
        {
            var (fromScale, fromMinimum, before) = (scale, minimum, error);
            for (var s = Math.Max(0, fromScale - 1); s <= Math.Min(most, fromScale + 1); s++)
            {
                for (var m = Math.Max(0, fromMinimum - 1); m <= Math.Min(most, fromMinimum + 1); m++)
                {
                    if (s == fromScale && m == fromMinimum)
                        continue;
                    var candidate = GroupFit.Error<TCodes>(x, w, count, factor.Scale * s, -(factor.Minimum * m));
                    if (candidate < error)
                        (scale, minimum, error) = (s, m, candidate);
                }
            }

            if (error >= before)
                break;
        }

        return error;
    }

    /// <summary>d by least squares: Σ w·x·a / Σ w·a² with a = scale · code.</summary>
    private static float Factor<TCodes>(float* x, float* w, int group, float factor, int* scales)
        where TCodes : struct, ICodes
    {
        var (products, squares) = (0.0, 0.0);
        for (var g = 0; g < Elements / group; g++)
        {
            if (scales[g] == 0)
                continue;
            var sums = GroupFit.Sums<TCodes>(x + (g * group), w + (g * group), group, 1 / (factor * scales[g]), 0);
            products += (double)sums.Products * scales[g];
            squares += (double)sums.Squares * scales[g] * scales[g];
        }

        return squares > 0 ? GroupFit.Half((float)(products / squares)) : 0;
    }

    /// <summary>d and dmin by least squares over a = scale · code and b = minimum.</summary>
    private static (float Scale, float Minimum) Factors<TCodes>(float* x, float* w, int group, (float Scale, float Minimum) factor, int* scales, int* minimums)
        where TCodes : struct, ICodes
    {
        var (aa, ab, bb, ax, bx) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (var g = 0; g < Elements / group; g++)
        {
            var (weights, values) = (0.0, 0.0);
            for (var i = g * group; i < (g + 1) * group; i++)
            {
                weights += w[i];
                values += (double)w[i] * x[i];
            }

            var (s, m) = ((double)scales[g], (double)minimums[g]);
            bb += m * m * weights;
            bx -= m * values;
            if (scales[g] == 0 || factor.Scale == 0)
                continue;
            var sums = GroupFit.Sums<TCodes>(x + (g * group), w + (g * group), group, 1 / (factor.Scale * scales[g]), -(factor.Minimum * minimums[g]));
            aa += s * s * sums.Squares;
            ab -= s * m * sums.Codes;
            ax += s * sums.Products;
        }

        var determinant = (aa * bb) - (ab * ab);
        if (determinant <= 1e-9 * aa * bb)
            return (aa > 0 ? GroupFit.Half((float)(ax / aa)) : 0, bb > 0 && aa == 0 ? GroupFit.Half((float)(bx / bb)) : 0);
        var scale = GroupFit.Half((float)(((bb * ax) - (ab * bx)) / determinant));
        var minimum = GroupFit.Half((float)(((aa * bx) - (ab * ax)) / determinant));
        return scale > 0 && minimum >= 0 ? (scale, minimum) : factor;
    }
}
