using Slm.Training.Optimization;

namespace Slm.Training.Tests;

public sealed class WsdScheduleTests
{
    private const double Peak = 0.01;

    [Fact]
    public void Rate_rises_stays_and_falls_at_the_boundary_steps()
    {
        var schedule = new WsdSchedule(Peak, 10, 100, 50, DecayShape.Linear, 0.1);
        Assert.Equal(0, schedule.At(0));
        Assert.Equal(Peak * 0.1, schedule.At(1), 1e-15);
        Assert.Equal(Peak * 0.9, schedule.At(9), 1e-15);
        Assert.Equal(Peak, schedule.At(10));
        Assert.Equal(Peak, schedule.At(100));
        Assert.Equal(Peak * (1 - 0.9 / 50), schedule.At(101), 1e-15);
        Assert.Equal(Peak * 0.55, schedule.At(125), 1e-15);
        Assert.Equal(Peak * 0.1, schedule.At(150), 1e-15);
        Assert.Equal(Peak * 0.1, schedule.At(151), 1e-15);
        Assert.Equal(150, schedule.TotalSteps);
    }

    [Fact]
    public void Exponential_decay_halves_after_each_half_life()
    {
        // 0.5^((s − S)/T) with T = 20 over 100 steps ends at 0.5^5.
        var schedule = new WsdSchedule(Peak, 0, 100, 100, DecayShape.Exponential, Math.Pow(0.5, 5));
        Assert.Equal(Peak * 0.5, schedule.At(120), 1e-12);
        Assert.Equal(Peak * 0.25, schedule.At(140), 1e-12);
        Assert.Equal(Peak / 32, schedule.At(200), 1e-12);
    }

    [Theory]
    [InlineData(DecayShape.Cosine, 0.55)]
    [InlineData(DecayShape.OneMinusSqrt, 1 - 0.9 * 0.70710678118654757)]
    public void Half_of_the_decay_gives_the_shape_s_middle(DecayShape shape, double expected)
    {
        var schedule = new WsdSchedule(1, 5, 10, 20, shape, 0.1);
        Assert.Equal(expected, schedule.At(20), 1e-12);
        Assert.Equal(0.1, schedule.At(30), 1e-12);
    }

    [Fact]
    public void Without_a_decay_the_rate_stays_to_the_last_step()
    {
        var schedule = new WsdSchedule(Peak, 1, 30, 0, DecayShape.Linear, 0.1);
        Assert.Equal(Peak, schedule.At(30));
    }
}
