namespace Slm.Statistics;

/// <summary>
/// Exact bounds of a proportion from the binomial distribution: Clopper and Pearson, "The use of confidence or fiducial limits
/// illustrated in the case of the binomial" (1934). They hold at any sample size, never with less than the stated confidence.
/// </summary>
public static class ClopperPearson
{
    /// <summary>The two-sided interval.</summary>
    /// <param name="successes">0 to <paramref name="trials"/>.</param>
    /// <param name="trials">0 or more; of none the interval is 0 to 1 and the estimate NaN.</param>
    /// <param name="confidence">Above 0 and below 1, such as 0.95.</param>
    public static Interval Interval(int successes, int trials, double confidence = 0.95)
    {
        var tail = 1 - ((1 - confidence) / 2);
        return new(trials == 0 ? double.NaN : (double)successes / trials, Lower(successes, trials, tail), Upper(successes, trials, tail));
    }

    /// <summary>The one-sided upper bound: with fewer than that the result would have had a probability below 1 - confidence.</summary>
    public static double Upper(int successes, int trials, double confidence)
    {
        Require(successes, trials, confidence);
        return successes == trials ? 1 : IncompleteBeta.Inverse(confidence, successes + 1, trials - successes);
    }

    /// <summary>The one-sided lower bound.</summary>
    public static double Lower(int successes, int trials, double confidence)
    {
        Require(successes, trials, confidence);
        return successes == 0 ? 0 : IncompleteBeta.Inverse(1 - confidence, successes, trials - successes + 1);
    }

    private static void Require(int successes, int trials, double confidence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(trials);
        ArgumentOutOfRangeException.ThrowIfNegative(successes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(successes, trials);
        ArgumentOutOfRangeException.ThrowIfNotEqual(confidence is > 0 and < 1, true, nameof(confidence));
    }
}
