namespace Slm.Statistics;

/// <summary>How well probabilities, or mere scores, foretell what happens.</summary>
public static class Scoring
{
    /// <summary>
    /// The area under the receiver operating characteristic: the probability that a positive has a higher score than a negative,
    /// ties counting half (Mann and Whitney's U, from ranks). NaN if there are no positives or no negatives.
    /// </summary>
    public static double Auroc(ReadOnlySpan<double> scores, ReadOnlySpan<bool> outcomes)
    {
        Require(scores, outcomes);
        var order = Order(scores);
        double ranks = 0;
        long positives = 0;
        for (var start = 0; start < order.Length;)
        {
            var end = start;
            while (end < order.Length && scores[order[end]] == scores[order[start]])
                end++;
            var rank = (start + 1 + end) / 2.0;
            for (var i = start; i < end; i++)
            {
                if (outcomes[order[i]])
                {
                    ranks += rank;
                    positives++;
                }
            }

            start = end;
        }

        var negatives = order.Length - positives;
        return positives == 0 || negatives == 0 ? double.NaN : (ranks - (positives * (positives + 1) / 2.0)) / ((double)positives * negatives);
    }

    /// <summary>The mean squared difference between probability and outcome (Brier 1950): 0 is perfect.</summary>
    public static double Brier(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> outcomes)
    {
        RequireProbabilities(probabilities, outcomes);
        var sum = 0.0;
        for (var i = 0; i < probabilities.Length; i++)
            sum += Math.Pow(probabilities[i] - (outcomes[i] ? 1 : 0), 2);
        return sum / probabilities.Length;
    }

    /// <summary>
    /// The reliability diagram: probabilities in bins of equal width, [0, 1/n), [1/n, 2/n), …, the last with 1; empty bins are left out.
    /// </summary>
    public static IReadOnlyList<ReliabilityBin> Reliability(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> outcomes, int bins = 10)
    {
        RequireProbabilities(probabilities, outcomes);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bins);
        var (counts, sums, hits) = (new int[bins], new double[bins], new int[bins]);
        for (var i = 0; i < probabilities.Length; i++)
        {
            var bin = Math.Min((int)(probabilities[i] * bins), bins - 1);
            counts[bin]++;
            sums[bin] += probabilities[i];
            hits[bin] += outcomes[i] ? 1 : 0;
        }

        return [.. Enumerable.Range(0, bins).Where(b => counts[b] > 0).Select(b => new ReliabilityBin(
            (double)b / bins, (double)(b + 1) / bins, counts[b], sums[b] / counts[b], (double)hits[b] / counts[b]))];
    }

    /// <summary>The expected calibration error: the mean of |mean probability - share of positives| over the bins, by their counts (Naeini et al. 2015).</summary>
    public static double CalibrationError(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> outcomes, int bins = 10)
    {
        var total = probabilities.Length;
        return Reliability(probabilities, outcomes, bins).Sum(b => Math.Abs(b.MeanProbability - b.PositiveShare) * b.Count / total);
    }

    /// <summary>Indices of the scores from the lowest to the highest.</summary>
    internal static int[] Order(ReadOnlySpan<double> scores)
    {
        var keys = scores.ToArray();
        var order = new int[keys.Length];
        for (var i = 0; i < order.Length; i++)
            order[i] = i;
        Array.Sort(keys, order);
        return order;
    }

    internal static void Require(ReadOnlySpan<double> scores, ReadOnlySpan<bool> outcomes)
    {
        ArgumentOutOfRangeException.ThrowIfZero(scores.Length, nameof(scores));
        if (scores.Length != outcomes.Length)
            throw new ArgumentException($"There are {scores.Length} scores and {outcomes.Length} outcomes; each score needs one.", nameof(outcomes));
        foreach (var score in scores)
        {
            if (double.IsNaN(score))
                throw new ArgumentException("A score is NaN, which has no place in an order.", nameof(scores));
        }
    }

    private static void RequireProbabilities(ReadOnlySpan<double> probabilities, ReadOnlySpan<bool> outcomes)
    {
        Require(probabilities, outcomes);
        foreach (var probability in probabilities)
            ArgumentOutOfRangeException.ThrowIfNotEqual(probability is >= 0 and <= 1, true, nameof(probabilities));
    }
}

/// <summary>A bin of a reliability diagram.</summary>
/// <param name="From">Lower edge.</param>
/// <param name="To">Upper edge.</param>
/// <param name="Count">Probabilities in it.</param>
/// <param name="MeanProbability">Their mean.</param>
/// <param name="PositiveShare">Share of positives among them.</param>
public readonly record struct ReliabilityBin(double From, double To, int Count, double MeanProbability, double PositiveShare);
