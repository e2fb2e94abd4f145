namespace Slm.Statistics.Tests;

public sealed class ClopperPearsonTests
{
    [Fact]
    public void Bounds_of_no_and_all_successes_have_a_closed_form()
    {
        foreach (var n in new[] { 1, 5, 10, 59, 300, 5000 })
        {
            Assert.Equal(1 - Math.Pow(0.05, 1.0 / n), ClopperPearson.Upper(0, n, 0.95), 1e-12);
            Assert.Equal(Math.Pow(0.05, 1.0 / n), ClopperPearson.Lower(n, n, 0.95), 1e-12);
            Assert.Equal(0, ClopperPearson.Lower(0, n, 0.95));
            Assert.Equal(1, ClopperPearson.Upper(n, n, 0.95));
        }

        Assert.Equal(new Interval(double.NaN, 0, 1), ClopperPearson.Interval(0, 0));
    }

    [Theory]
    // R: binom.test(x, n)$conf.int
    [InlineData(5, 10, 0.1870860, 0.8129140)]
    [InlineData(0, 10, 0, 0.3084971)]
    [InlineData(1, 20, 0.001265089, 0.2487328)]
    [InlineData(92, 100, 0.8484424, 0.9648284)]
    public void Published_intervals_are_met(int successes, int trials, double lower, double upper)
    {
        var interval = ClopperPearson.Interval(successes, trials);
        Assert.Equal(lower, interval.Lower, 1e-6);
        Assert.Equal(upper, interval.Upper, 1e-6);
        Assert.Equal((double)successes / trials, interval.Estimate);
    }

    [Fact]
    public void At_a_bound_the_binomial_tail_is_what_was_asked_for()
    {
        foreach (var (k, n) in new[] { (1, 7), (3, 50), (40, 90), (499, 500) })
        {
            Assert.Equal(0.025, Tail(0, k, n, ClopperPearson.Upper(k, n, 0.975)), 1e-10);
            Assert.Equal(0.025, Tail(k, n, n, ClopperPearson.Lower(k, n, 0.975)), 1e-10);
        }
    }

    [Fact]
    public void The_incomplete_beta_function_is_the_binomial_sum()
    {
        foreach (var (a, b) in new[] { (1, 1), (2, 5), (30, 4), (100, 200) })
        {
            for (var x = 0.05; x < 1; x += 0.1)
                Assert.Equal(Tail(a, a + b - 1, a + b - 1, x), IncompleteBeta.Value(x, a, b), 1e-11);
        }
    }

    [Fact]
    public void The_logarithm_of_gamma_is_that_of_the_factorial()
    {
        var factorial = 0.0;
        for (var n = 1; n < 100; n++)
        {
            Assert.Equal(factorial, IncompleteBeta.LogGamma(n), 1e-10);
            factorial += Math.Log(n);
        }

        Assert.Equal(Math.Log(Math.PI) / 2, IncompleteBeta.LogGamma(0.5), 1e-13);
        Assert.Equal(Math.Log(3.6256099082219083), IncompleteBeta.LogGamma(0.25), 1e-13);
    }

    /// <summary>Sum of the binomial probabilities of from to to successes, term by term.</summary>
    private static double Tail(int from, int to, int n, double p)
    {
        var sum = 0.0;
        for (var k = from; k <= to; k++)
        {
            var log = (k * Math.Log(p)) + ((n - k) * Math.Log(1 - p));
            for (var i = 1; i <= k; i++)
                log += Math.Log((double)(n - k + i) / i);
            sum += Math.Exp(log);
        }

        return sum;
    }
}
