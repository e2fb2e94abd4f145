namespace Slm.Statistics.Tests;

public sealed class SampleTests
{
    [Theory]
    [InlineData(95, 95.05)]
    [InlineData(50, 50.5)]
    [InlineData(0, 1)]
    [InlineData(100, 100)]
    public void Percentiles_of_1_to_100_are_those_of_type_7(double percent, double expected) =>
        Assert.Equal(expected, Samples.Percentile([.. Enumerable.Range(1, 100).Reverse().Select(i => (double)i)], percent), 1e-12);

    [Fact]
    public void A_percentile_between_two_values_is_interpolated()
    {
        // Hyndman and Fan's definition by hand: rank 3 * 0.4 = 1.2 lies between 20 and 50.
        Assert.Equal(26, Samples.Percentile([50, 10, 20, 100], 40), 1e-12);
        Assert.Equal(7, Samples.Percentile([7], 95));
    }

    [Fact]
    public void What_has_no_percentile_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Samples.Percentile([], 50));
        Assert.Throws<ArgumentOutOfRangeException>(() => Samples.Percentile([1], 101));
        Assert.Throws<ArgumentException>(() => Samples.Percentile([1, double.NaN], 50));
    }

    [Fact]
    public void Random_numbers_of_a_seed_never_change()
    {
        // The generator again, from the authors' description, in other types.
        var state = (System.UInt128)SeededRandom.Mix(7);
        var words = Enumerable.Range(0, 4).Select(_ => SeededRandom.Mix((ulong)(state += 0x9E3779B97F4A7C15))).ToArray();
        var random = new SeededRandom(7);
        for (var n = 0; n < 1000; n++)
        {
            var rotated = (ulong)(((System.UInt128)(words[1] * 5) << 7) | ((words[1] * 5) >> 57));
            Assert.Equal(rotated * 9, random.NextBits());
            var t = words[1] << 17;
            words[2] ^= words[0];
            words[3] ^= words[1];
            words[1] ^= words[2];
            words[0] ^= words[3];
            words[2] ^= t;
            words[3] = (words[3] << 45) | (words[3] >> 19);
        }

        // First output of SplitMix64 from state 0, as published with its reference implementation.
        Assert.Equal(0xE220A8397B1DCDAFUL, SeededRandom.Mix(0x9E3779B97F4A7C15));
    }

    [Fact]
    public void Numbers_below_a_bound_are_even()
    {
        var random = new SeededRandom(1, 2);
        var counts = new int[7];
        for (var i = 0; i < 70_000; i++)
            counts[random.NextBelow(7)]++;
        // Chi-squared with 6 degrees of freedom: above 22.46 once in a thousand.
        Assert.True(counts.Sum(c => (c - 10_000.0) * (c - 10_000.0) / 10_000) < 22.46);
        Assert.NotEqual(new SeededRandom(1, 1).NextBits(), new SeededRandom(1, 2).NextBits());
    }
}
