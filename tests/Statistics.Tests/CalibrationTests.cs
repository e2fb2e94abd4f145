using CsCheck;

namespace Slm.Statistics.Tests;

public sealed class CalibrationTests
{
    [Fact]
    public void Isotonic_regression_is_the_greatest_of_the_smallest_means() => Gen.Select(Gen.Int[0, 8], Gen.Bool).Array[1, 40].Sample(items =>
    {
        double[] scores = [.. items.Select(i => (double)i.Item1)];
        bool[] outcomes = [.. items.Select(i => i.Item2)];
        var fitted = IsotonicRegression.Fit(scores, outcomes);
        var groups = items.GroupBy(i => i.Item1).OrderBy(g => g.Key).Select(g => (Score: g.Key, Sum: g.Count(i => i.Item2), Count: g.Count())).ToArray();
        for (var i = 0; i < groups.Length; i++)
        {
            // max over a <= i of min over b >= i of the mean of a to b (Barlow et al. 1972).
            var value = Enumerable.Range(0, i + 1).Max(a => Enumerable.Range(i, groups.Length - i).Min(b =>
                (double)groups[a..(b + 1)].Sum(g => g.Sum) / groups[a..(b + 1)].Sum(g => g.Count)));
            Assert.Equal(value, fitted.At(groups[i].Score), 1e-12);
        }
    });

    [Fact]
    public void Isotonic_regression_is_linear_between_points_and_constant_outside()
    {
        var fitted = IsotonicRegression.Fit([1, 2, 3, 4, 5], [false, true, false, true, true]);
        Assert.Equal([1, 2, 3, 4, 5], fitted.Scores);
        Assert.Equal([0, 0.5, 0.5, 1, 1], fitted.Values);
        Assert.Equal(0.25, fitted.At(1.5), 1e-12);
        Assert.Equal(0, fitted.At(-7));
        Assert.Equal(1, fitted.At(9));
        Assert.Equal(fitted.At(1.7), IsotonicRegression.From(fitted.Scores, fitted.Values).At(1.7));
        Assert.Throws<ArgumentException>(() => IsotonicRegression.From([1, 1], [0, 1]));
        Assert.Throws<ArgumentException>(() => IsotonicRegression.From([1, 2], [1, 0]));
    }

    [Fact]
    public void Logistic_regression_on_a_binary_feature_gives_the_log_odds()
    {
        // 3 of 10 without the feature, 8 of 10 with it.
        var rows = Enumerable.Range(0, 20).Select(i => new[] { i < 10 ? 0.0 : 1.0 }).ToArray();
        bool[] outcomes = [.. Enumerable.Range(0, 20).Select(i => i < 3 || (i >= 10 && i < 18))];
        var fitted = LogisticRegression.Fit(rows, outcomes, l2: 0);
        Assert.Equal(Math.Log(3.0 / 7), fitted.Bias, 1e-9);
        Assert.Equal(Math.Log(8.0 / 2) - Math.Log(3.0 / 7), fitted.Weights[0], 1e-9);
        Assert.Equal(0.3, fitted.At(0), 1e-9);
        Assert.Equal(0.8, fitted.At(1), 1e-9);
    }

    [Fact]
    public void Logistic_regression_stands_where_the_gradient_is_zero()
    {
        var random = new SeededRandom(4);
        var rows = Enumerable.Range(0, 300).Select(_ => new[] { random.NextDouble() * 4, random.NextDouble() - 0.5, random.NextDouble() * 100 }).ToArray();
        bool[] outcomes = [.. rows.Select(r => random.NextDouble() < 1 / (1 + Math.Exp(-((2 * r[0]) - 5 + r[1]))))];
        const double Penalty = 0.3;
        var fitted = LogisticRegression.Fit(rows, outcomes, Penalty);
        double[] errors = [.. rows.Select((r, i) => fitted.At(r) - (outcomes[i] ? 1 : 0))];
        Assert.Equal(0, errors.Sum(), 1e-7);
        for (var f = 0; f < 3; f++)
            Assert.Equal(0, errors.Select((e, i) => e * rows[i][f]).Sum() + (Penalty * fitted.Weights[f]), 1e-5);
        Assert.Equal(fitted.At(rows[0]), LogisticRegression.From(fitted.Bias, fitted.Weights).At(rows[0]));
    }

    [Fact]
    public void Classes_that_can_be_separated_have_finite_weights()
    {
        var fitted = LogisticRegression.Fit([[1.0], [2.0], [3.0], [4.0]], [false, false, true, true]);
        Assert.True(double.IsFinite(fitted.Weights[0]) && fitted.At(1) < 0.05 && fitted.At(4) > 0.95);
        var same = LogisticRegression.Fit([[1.0], [2.0]], [true, true]);
        Assert.True(double.IsFinite(same.Bias) && same.At(1.5) > 0.9);
    }
}
