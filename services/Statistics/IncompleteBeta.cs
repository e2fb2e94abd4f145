namespace Slm.Statistics;

/// <summary>The regularized incomplete beta function I_x(a, b), the distribution function of Beta(a, b), and its inverse.</summary>
public static class IncompleteBeta
{
    private const int MostTerms = 10_000;

    // Coefficients of Lanczos' approximation with g = 7, n = 9 (Godfrey 2001): relative error below 1e-15.
    private static readonly double[] Lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
        12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>I_x(a, b).</summary>
    /// <param name="x">0 to 1.</param>
    /// <param name="a">Above 0.</param>
    /// <param name="b">Above 0.</param>
    public static double Value(double x, double a, double b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x is >= 0 and <= 1, true, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(a);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(b);
        if (x is 0 or 1)
            return x;
        // The fraction converges fast on this side of the mean only; the other side by symmetry.
        if (x > (a + 1) / (a + b + 2))
            return 1 - Value(1 - x, b, a);
        var front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + (a * Math.Log(x)) + (b * Math.Log(1 - x)));
        return front * Fraction(x, a, b) / a;
    }

    /// <summary>The x with I_x(a, b) = <paramref name="probability"/>, to the last bits.</summary>
    public static double Inverse(double probability, double a, double b)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(probability is >= 0 and <= 1, true, nameof(probability));
        var (low, high) = (0.0, 1.0);
        while (true)
        {
            var middle = (low + high) / 2;
            if (middle == low || middle == high)
                return middle;
            if (Value(middle, a, b) < probability)
                low = middle;
            else
                high = middle;
        }
    }

    /// <summary>ln Γ(x) for x above 0.</summary>
    public static double LogGamma(double x)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(x);
        if (x < 0.5)
            return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        x -= 1;
        var sum = Lanczos[0];
        for (var i = 1; i < Lanczos.Length; i++)
            sum += Lanczos[i] / (x + i);
        var t = x + 7.5;
        return (0.5 * Math.Log(2 * Math.PI)) + ((x + 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }

    /// <summary>The continued fraction (Abramowitz and Stegun 26.5.8), by Lentz's method.</summary>
    private static double Fraction(double x, double a, double b)
    {
        const double Tiny = 1e-300;
        var c = 1.0;
        var d = 1 / NotZero(1 - ((a + b) * x / (a + 1)));
        var value = d;
        for (var m = 1; m < MostTerms; m++)
        {
            var even = m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)));
            d = 1 / NotZero(1 + (even * d));
            c = NotZero(1 + (even / c));
            value *= d * c;
            var odd = -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / NotZero(1 + (odd * d));
            c = NotZero(1 + (odd / c));
            value *= d * c;
            if (Math.Abs((d * c) - 1) < 1e-16)
                break;
        }

        return value;

        static double NotZero(double number) => Math.Abs(number) < Tiny ? Tiny : number;
    }
}
