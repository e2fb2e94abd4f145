namespace Slm.Statistics;

/// <summary>
/// The nondecreasing function of a score that is nearest to the outcomes in squares, by pooling adjacent violators (Ayer et al.
/// 1955). Between the fitted points it is linear, outside of them constant.
/// </summary>
public sealed class IsotonicRegression
{
    private IsotonicRegression(double[] scores, double[] values) => (Scores, Values) = (scores, values);

    /// <summary>Scores at which it is given, strictly increasing.</summary>
    public IReadOnlyList<double> Scores { get; }

    /// <summary>Its values there, nondecreasing.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>Fits it. Equal scores count as one point with their mean.</summary>
    public static IsotonicRegression Fit(ReadOnlySpan<double> scores, ReadOnlySpan<bool> outcomes)
    {
        Scoring.Require(scores, outcomes);
        var order = Scoring.Order(scores);
        var blocks = new List<(double First, double Last, double Sum, int Count)>();
        for (var start = 0; start < order.Length;)
        {
            var score = scores[order[start]];
            var (sum, count) = (0.0, 0);
            for (; start < order.Length && scores[order[start]] == score; start++, count++)
                sum += outcomes[order[start]] ? 1 : 0;
            var block = (First: score, Last: score, Sum: sum, Count: count);
            // A block that is not above the one before joins it.
            while (blocks.Count > 0 && blocks[^1].Sum * block.Count >= block.Sum * blocks[^1].Count)
            {
                block = (blocks[^1].First, block.Last, blocks[^1].Sum + block.Sum, blocks[^1].Count + block.Count);
                blocks.RemoveAt(blocks.Count - 1);
            }

            blocks.Add(block);
        }

        var (points, values) = (new List<double>(), new List<double>());
        foreach (var block in blocks)
        {
            points.Add(block.First);
            values.Add(block.Sum / block.Count);
            if (block.Last == block.First)
                continue;
            points.Add(block.Last);
            values.Add(block.Sum / block.Count);
        }

        return new([.. points], [.. values]);
    }

    /// <summary>One that was fitted before.</summary>
    /// <exception cref="ArgumentException">The points are not increasing, or the values decrease.</exception>
    public static IsotonicRegression From(IReadOnlyList<double> scores, IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(values);
        if (scores.Count == 0 || scores.Count != values.Count)
            throw new ArgumentException($"There are {scores.Count} scores and {values.Count} values; give as many of both, at least one.", nameof(values));
        for (var i = 1; i < scores.Count; i++)
        {
            if (!(scores[i] > scores[i - 1]))
                throw new ArgumentException($"The score {i} is not above the one before.", nameof(scores));
            if (!(values[i] >= values[i - 1]))
                throw new ArgumentException($"The value {i} is below the one before.", nameof(values));
        }

        return new([.. scores], [.. values]);
    }

    /// <summary>Its value at a score.</summary>
    public double At(double score)
    {
        var points = (double[])Scores;
        var at = Array.BinarySearch(points, score);
        if (at >= 0)
            return Values[at];
        var above = ~at;
        if (above == 0)
            return Values[0];
        if (above == points.Length)
            return Values[^1];
        var share = (score - points[above - 1]) / (points[above] - points[above - 1]);
        return Values[above - 1] + (share * (Values[above] - Values[above - 1]));
    }
}
