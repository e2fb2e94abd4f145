namespace Slm.Statistics;

/// <summary>Figures of a sample.</summary>
public static class Samples
{
    /// <summary>The arithmetic mean; NaN of no values.</summary>
    public static double Mean(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += value;
        return sum / values.Length;
    }

    /// <summary>
    /// A percentile by linear interpolation between the two nearest order statistics at rank (n - 1)·p + 1: type 7 of Hyndman and
    /// Fan, "Sample quantiles in statistical packages" (1996).
    /// </summary>
    /// <param name="values">In any order; at least one, none NaN.</param>
    /// <param name="percent">0 to 100.</param>
    public static double Percentile(ReadOnlySpan<double> values, double percent)
    {
        ArgumentOutOfRangeException.ThrowIfZero(values.Length, nameof(values));
        ArgumentOutOfRangeException.ThrowIfNotEqual(percent is >= 0 and <= 100, true, nameof(percent));
        var sorted = values.ToArray();
        Array.Sort(sorted);
        if (double.IsNaN(sorted[0]))
            throw new ArgumentException("A value is NaN, which has no place in an order.", nameof(values));
        var rank = (sorted.Length - 1) * percent / 100;
        var below = (int)Math.Floor(rank);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((rank - below) * (sorted[above] - sorted[below]));
    }
}
