using Slm.Engine.Sampling;

namespace Slm.Engine.Tests.Sampling;

public sealed class CounterRandomTests
{
    /// <summary>Known answers of Philox4x32-10 published with Random123 (kat_vectors).</summary>
    [Fact]
    public void Philox_gives_the_published_vectors()
    {
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), CounterRandom.Philox(0, 0, 0, 0, 0, 0));
        Assert.Equal(
            (0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu),
            CounterRandom.Philox(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue));
        Assert.Equal(
            (0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            CounterRandom.Philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
    }

    [Fact]
    public void Numbers_are_uniform_in_the_unit_interval_over_positions_and_over_seeds()
    {
        const int Draws = 100_000, Bins = 50;
        var overPositions = new int[Bins];
        var overSeeds = new int[Bins];
        for (var i = 0; i < Draws; i++)
        {
            overPositions[(int)(CounterRandom.Uniform(42, i) * Bins)]++;
            overSeeds[(int)(CounterRandom.Uniform((ulong)i, 7) * Bins)]++;
        }

        // 49 degrees of freedom: 99.9 % lie below 85.4.
        Assert.InRange(ChiSquare(overPositions), 20, 85.4);
        Assert.InRange(ChiSquare(overSeeds), 20, 85.4);

        static double ChiSquare(int[] counts) => counts.Sum(c => Math.Pow(c - (double)Draws / Bins, 2) / ((double)Draws / Bins));
    }
}
