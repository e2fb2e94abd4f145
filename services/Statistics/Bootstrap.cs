namespace Slm.Statistics;

/// <summary>
/// Intervals by resampling (Efron 1979): percentile intervals of a statistic of n items, drawn n at a time with replacement. The
/// resamples of a seed are always the same.
/// </summary>
public static class Bootstrap
{
    /// <summary>The interval of any statistic of a sample.</summary>
    /// <param name="count">Number of items.</param>
    /// <param name="statistic">A figure of the items with the given indices, which may repeat.</param>
    /// <param name="seed">Of the resamples.</param>
    /// <param name="resamples">How many, at least 100.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    /// <returns>Resamples of which the statistic is NaN are left out; all NaN: NaN bounds.</returns>
    public static Interval Of(int count, Func<int[], double> statistic, ulong seed, int resamples = 10_000, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(statistic);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var figures = Resample(count, statistic, seed, resamples).Where(f => !double.IsNaN(f)).ToArray();
        var estimate = statistic([.. Enumerable.Range(0, count)]);
        if (figures.Length == 0)
            return new(estimate, double.NaN, double.NaN);
        ArgumentOutOfRangeException.ThrowIfNotEqual(confidence is > 0 and < 1, true, nameof(confidence));
        var tail = 50 * (1 - confidence);
        return new(estimate, Samples.Percentile(figures, tail), Samples.Percentile(figures, 100 - tail));
    }

    /// <summary>The interval of a mean.</summary>
    public static Interval Mean(IReadOnlyList<double> values, ulong seed, int resamples = 10_000, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Of(values.Count, items => MeanOf(values, items), seed, resamples, confidence);
    }

    /// <summary>The paired comparison of two means: the same items are drawn for both.</summary>
    /// <param name="first">A figure per item.</param>
    /// <param name="second">The other figure of the same items, in the same order.</param>
    /// <param name="seed">Of the resamples.</param>
    /// <param name="resamples">How many, at least 100.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    /// <returns>The interval of mean(first) - mean(second), and the one-sided p-value of "first is not greater": (1 + resamples with a
    /// difference of at most 0) / (1 + resamples).</returns>
    public static (Interval Difference, double PValue) Paired(IReadOnlyList<double> first, IReadOnlyList<double> second, ulong seed, int resamples = 10_000, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (first.Count != second.Count)
            throw new ArgumentException($"There are {first.Count} first figures and {second.Count} second ones; a pair needs one of each.", nameof(second));
        var differences = first.Zip(second, (a, b) => a - b).ToArray();
        var figures = Resample(differences.Length, items => MeanOf(differences, items), seed, resamples);
        var tail = 50 * (1 - confidence);
        var interval = new Interval(Samples.Mean(differences), Samples.Percentile(figures, tail), Samples.Percentile(figures, 100 - tail));
        return (interval, (1.0 + figures.Count(f => f <= 0)) / (1 + figures.Length));
    }

    private static double[] Resample(int count, Func<int[], double> statistic, ulong seed, int resamples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 100);
        var figures = new double[resamples];
        var items = new int[count];
        for (var r = 0; r < resamples; r++)
        {
            var random = new SeededRandom(seed, (ulong)r);
            for (var i = 0; i < count; i++)
                items[i] = random.NextBelow(count);
            figures[r] = statistic(items);
        }

        return figures;
    }

    private static double MeanOf(IReadOnlyList<double> values, int[] items)
    {
        var sum = 0.0;
        foreach (var item in items)
            sum += values[item];
        return sum / items.Length;
    }
}
