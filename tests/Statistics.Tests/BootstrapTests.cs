namespace Slm.Statistics.Tests;

public sealed class BootstrapTests
{
    [Fact]
    public void The_interval_of_a_mean_is_that_of_the_normal_approximation()
    {
        var random = new SeededRandom(3);
        double[] values = [.. Enumerable.Range(0, 400).Select(_ => random.NextDouble())];
        var interval = Bootstrap.Mean(values, seed: 1);
        var mean = values.Average();
        var error = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / values.Length / values.Length);
        Assert.Equal(mean, interval.Estimate, 1e-12);
        // The bounds' own sampling error is about 0.02 standard errors.
        Assert.Equal(mean - (1.96 * error), interval.Lower, 0.12 * error);
        Assert.Equal(mean + (1.96 * error), interval.Upper, 0.12 * error);
    }

    [Fact]
    public void All_resamples_of_two_values_are_known()
    {
        // Means of two draws from 0 and 1: 0, 0.5 and 1 with 1/4, 1/2, 1/4.
        var interval = Bootstrap.Mean([0, 1], seed: 5, confidence: 0.4);
        Assert.Equal(new Interval(0.5, 0.5, 0.5), interval);
        interval = Bootstrap.Mean([0, 1], seed: 5, confidence: 0.6);
        Assert.Equal(new Interval(0.5, 0, 1), interval);
    }

    [Fact]
    public void Pairs_find_a_difference_that_unpaired_samples_hide()
    {
        var random = new SeededRandom(11);
        double[] second = [.. Enumerable.Range(0, 100).Select(_ => 100 * random.NextDouble())];
        double[] first = [.. second.Select(v => v + 0.5 + random.NextDouble())];
        var (difference, p) = Bootstrap.Paired(first, second, seed: 2);
        Assert.InRange(difference.Lower, 0.5, difference.Estimate);
        Assert.InRange(difference.Upper, difference.Estimate, 1.5);
        Assert.Equal(1.0 / 10_001, p);
        Assert.True(Bootstrap.Mean(first, 2).Lower < Bootstrap.Mean(second, 2).Upper);
        Assert.Equal(1, Bootstrap.Paired(second, second, seed: 2).PValue);
    }

    [Fact]
    public void The_same_seed_gives_the_same_interval()
    {
        var random = new SeededRandom(6);
        double[] values = [.. Enumerable.Range(0, 50).Select(_ => random.NextDouble())];
        Assert.Equal(Bootstrap.Mean(values, 9), Bootstrap.Mean(values, 9));
        Assert.NotEqual(Bootstrap.Mean(values, 9), Bootstrap.Mean(values, 10));
    }

    [Fact]
    public void Unequal_numbers_of_pairs_are_refused() => Assert.Throws<ArgumentException>(() => Bootstrap.Paired([1, 2], [1], 0));
}
