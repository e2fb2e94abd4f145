using CsCheck;

namespace Slm.Statistics.Tests;

public sealed class ScoringTests
{
    /// <summary>Scores with many ties, and outcomes.</summary>
    private static readonly Gen<(int Score, bool Outcome)[]> Items = Gen.Select(Gen.Int[0, 10], Gen.Bool).Array[1, 60];

    [Fact]
    public void Auroc_is_the_share_of_pairs_in_order() => Items.Sample(items =>
    {
        var wins = 0.0;
        foreach (var (positive, _) in items.Where(i => i.Outcome))
        {
            foreach (var (negative, _) in items.Where(i => !i.Outcome))
                wins += positive > negative ? 1 : positive == negative ? 0.5 : 0;
        }

        var pairs = (double)items.Count(i => i.Outcome) * items.Count(i => !i.Outcome);
        var value = Scoring.Auroc(Scores(items), Outcomes(items));
        return pairs == 0 ? double.IsNaN(value) : Math.Abs(value - (wins / pairs)) < 1e-12;
    });

    [Fact]
    public void The_calibration_error_is_that_of_bins_filled_one_by_one() => Items.Sample(items =>
    {
        double[] probabilities = [.. items.Select(i => i.Score / 10.0)];
        var error = 0.0;
        for (var bin = 0; bin < 5; bin++)
        {
            var inside = items.Where(i => (i.Score / 2 == bin) || (bin == 4 && i.Score == 10)).ToArray();
            if (inside.Length > 0)
                error += Math.Abs(inside.Sum(i => i.Score / 10.0) - inside.Count(i => i.Outcome)) / items.Length;
        }

        return Math.Abs(error - Scoring.CalibrationError(probabilities, Outcomes(items), 5)) < 1e-9;
    });

    [Fact]
    public void Hand_computed_scores_are_met()
    {
        Assert.Equal(0.75, Scoring.Auroc([0.1, 0.4, 0.35, 0.8], [false, false, true, true]), 1e-12);
        Assert.Equal((0.01 + 0.04 + 0.81) / 3, Scoring.Brier([0.1, 0.8, 0.9], [false, true, false]), 1e-12);
        // Bins 0.1 and 0.9: |0.15 - 0.5| * 2/3 + |0.95 - 1| * 1/3.
        Assert.Equal((0.35 * 2 / 3) + (0.05 / 3), Scoring.CalibrationError([0.1, 0.2, 0.95], [false, true, true], 2), 1e-12);
        var bin = Assert.Single(Scoring.Reliability([1, 1], [true, false]));
        Assert.Equal(new ReliabilityBin(0.9, 1, 2, 1, 0.5), bin);
    }

    [Fact]
    public void What_cannot_be_scored_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Scoring.Auroc([], []));
        Assert.Throws<ArgumentException>(() => Scoring.Auroc([1], [true, false]));
        Assert.Throws<ArgumentException>(() => Scoring.Auroc([double.NaN], [true]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Scoring.Brier([1.1], [true]));
    }

    [Fact]
    public void The_risk_curve_counts_what_each_threshold_accepts() => Items.Sample(items =>
    {
        var curve = SelectiveRisk.Curve(Scores(items), Outcomes(items));
        return curve.Count == items.Select(i => i.Score).Distinct().Count() && curve.All(point =>
            point.Accepted == items.Count(i => i.Score >= point.Threshold) && point.Wrong == items.Count(i => i.Score >= point.Threshold && !i.Outcome));
    });

    [Fact]
    public void A_threshold_is_chosen_by_its_upper_bound()
    {
        // The upper 500 of 1000 are right, the lower ones every second time.
        double[] confidences = [.. Enumerable.Range(0, 1000).Select(i => i / 1000.0)];
        bool[] correct = [.. Enumerable.Range(0, 1000).Select(i => i >= 500 || i % 2 == 0)];
        var choice = SelectiveRisk.Choose(confidences, correct, 0.05)!.Value;
        // 550 accepted, 25 wrong: 4.5 %, but its bound is above 5 %. 500 accepted, none wrong: 1 - 0.0025^(1/500).
        Assert.Equal(500, choice.Point.Accepted);
        Assert.Equal(1 - Math.Pow(0.0025, 1.0 / 500), choice.UpperBound, 1e-12);
        Assert.Null(SelectiveRisk.Choose([0.5, 0.6], [true, true], 0.05));
        Assert.Null(SelectiveRisk.Choose(confidences, new bool[1000], 0.5));
    }

    [Fact]
    public void A_chosen_threshold_keeps_its_risk_as_often_as_promised()
    {
        // The risk of confidence c is 1 - c; accepting all above t has the risk (1 - t) / 2.
        var broken = 0;
        for (var run = 0; run < 400; run++)
        {
            var random = new SeededRandom(77, (ulong)run);
            var confidences = new double[200];
            var correct = new bool[200];
            for (var i = 0; i < 200; i++)
                correct[i] = random.NextDouble() < (confidences[i] = random.NextDouble());
            if (SelectiveRisk.Choose(confidences, correct, 0.2) is { } choice && (1 - choice.Point.Threshold) / 2 > 0.2)
                broken++;
        }

        // 5 % of 400 are 20; above 34 less than once in a thousand if it were exactly 5 %.
        Assert.InRange(broken, 0, 34);
    }

    private static double[] Scores((int Score, bool)[] items) => [.. items.Select(i => (double)i.Score)];

    private static bool[] Outcomes((int, bool Outcome)[] items) => [.. items.Select(i => i.Outcome)];
}
