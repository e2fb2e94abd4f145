using CsCheck;
using Slm.Gateway.Access;

namespace Slm.Gateway.Tests.Access;

public sealed class BudgetTests
{
    [Fact]
    public void A_budget_saves_a_minute_at_most_and_says_when_there_is_enough_again()
    {
        var time = new ManualTime();
        var budget = new Budget(60, time);
        time.Advance(TimeSpan.FromHours(1));
        for (var i = 0; i < 60; i++)
            Assert.Null(budget.TryTake(1));
        var wait = budget.TryTake(1);
        Assert.Equal(1, wait!.Value.TotalSeconds, 3);
        time.Advance(wait.Value);
        Assert.Null(budget.TryTake(1));
        Assert.NotNull(budget.TryTake(1));
    }

    [Fact]
    public void What_a_request_used_is_taken_even_below_zero_and_has_to_come_back_first()
    {
        var time = new ManualTime();
        var budget = new Budget(100, time);
        Assert.Null(budget.TryTake(0));
        budget.Charge(350);
        Assert.Equal((0, 210), (budget.State().Left, budget.State().Full.TotalSeconds));
        var wait = budget.TryTake(0)!.Value;
        Assert.InRange(wait.TotalSeconds, 150, 151);
        time.Advance(wait - TimeSpan.FromSeconds(1));
        Assert.NotNull(budget.TryTake(0));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(budget.TryTake(0));
    }

    [Fact]
    public void In_no_stretch_of_time_more_is_given_than_a_minute_saved_and_what_came_since() => Gen.Select(Gen.Int[1, 200], Gen.Select(Gen.Int[0, 5000], Gen.Int[1, 20]).Array[1, 200]).Sample((perMinute, steps) =>
    {
        var time = new ManualTime();
        var budget = new Budget(perMinute, time);
        var (given, began) = (0L, time.GetTimestamp());
        foreach (var (milliseconds, cost) in steps)
        {
            time.Advance(TimeSpan.FromMilliseconds(milliseconds));
            if (budget.TryTake(cost) is null)
                given += cost;
            Assert.True(given <= perMinute * (1 + time.GetElapsedTime(began).TotalMinutes) + 0.01);
        }
    });
}
