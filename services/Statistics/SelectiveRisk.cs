namespace Slm.Statistics;

/// <summary>
/// Selective prediction: what a threshold on confidence accepts, and how often that is wrong (El-Yaniv and Wiener 2010).
/// </summary>
public static class SelectiveRisk
{
    /// <summary>
    /// The risk-coverage curve: for each confidence that occurs, from the highest to the lowest, what accepting it and all above gives.
    /// </summary>
    public static IReadOnlyList<RiskPoint> Curve(ReadOnlySpan<double> confidences, ReadOnlySpan<bool> correct)
    {
        Scoring.Require(confidences, correct);
        var order = Scoring.Order(confidences);
        var points = new List<RiskPoint>();
        var (accepted, wrong) = (0, 0);
        for (var i = order.Length - 1; i >= 0; i--)
        {
            accepted++;
            wrong += correct[order[i]] ? 0 : 1;
            if (i == 0 || confidences[order[i - 1]] != confidences[order[i]])
                points.Add(new(confidences[order[i]], accepted, wrong, order.Length));
        }

        return points;
    }

    /// <summary>
    /// The lowest threshold, of at most <paramref name="candidates"/> evenly spread over the coverage, whose risk is at most
    /// <paramref name="target"/> with the given confidence: each candidate's upper bound is Clopper and Pearson's at
    /// 1 - (1 - confidence)/candidates, so that the choice among them does not spoil it (Bonferroni).
    /// </summary>
    /// <returns>Null if no candidate's bound is low enough.</returns>
    public static RiskChoice? Choose(ReadOnlySpan<double> confidences, ReadOnlySpan<bool> correct, double target, double confidence = 0.95, int candidates = 20)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(target is > 0 and < 1, true, nameof(target));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(candidates);
        var curve = Curve(confidences, correct);
        var each = 1 - ((1 - confidence) / candidates);
        for (var c = candidates; c >= 1; c--)
        {
            // The point of the curve with the greatest coverage of at most c/candidates.
            RiskPoint? at = null;
            foreach (var point in curve)
            {
                if (point.Accepted <= (double)point.Total * c / candidates)
                    at = point;
            }

            if (at is { } chosen && ClopperPearson.Upper(chosen.Wrong, chosen.Accepted, each) is var bound && bound <= target)
                return new(chosen, bound);
        }

        return null;
    }
}

/// <summary>What a threshold accepts.</summary>
/// <param name="Threshold">Confidences of at least this are accepted.</param>
/// <param name="Accepted">How many are.</param>
/// <param name="Wrong">How many of those are wrong.</param>
/// <param name="Total">Of how many.</param>
public readonly record struct RiskPoint(double Threshold, int Accepted, int Wrong, int Total)
{
    /// <summary>Share that is accepted.</summary>
    public double Coverage => (double)Accepted / Total;

    /// <summary>Share of the accepted that is wrong.</summary>
    public double Risk => (double)Wrong / Accepted;
}

/// <summary>A threshold that was chosen, and the upper bound of its risk.</summary>
public readonly record struct RiskChoice(RiskPoint Point, double UpperBound);
