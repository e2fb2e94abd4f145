using Slm.Engine.Speculation;

namespace Slm.Engine.Tests.Speculation;

public sealed class PromptLookupTests
{
    [Theory]
    [InlineData(new[] { 1, 2, 3, 4, 5, 1, 2 }, new[] { 3, 4, 5, 1 })]
    [InlineData(new[] { 9, 1, 2, 7, 1, 2, 8, 1, 2 }, new[] { 8, 1, 2, 8 })]
    [InlineData(new[] { 5, 1, 2, 7, 6, 1, 2, 8, 5, 1, 2 }, new[] { 7, 6, 1, 2 })]
    [InlineData(new[] { 4, 4, 4 }, new[] { 4, 4, 4, 4 })]
    [InlineData(new[] { 1, 2, 1, 2, 1 }, new[] { 2, 1, 2, 1 })]
    [InlineData(new[] { 1, 2, 3, 2 }, new int[0])]
    [InlineData(new[] { 1 }, new int[0])]
    public void What_followed_the_longest_run_of_last_tokens_is_proposed(int[] tokens, int[] expected)
    {
        var proposal = new int[4];
        Assert.Equal(expected, proposal[..PromptLookup.Propose(tokens, proposal)]);
    }

    [Fact]
    public void More_is_proposed_after_success_and_nothing_for_a_while_after_failures()
    {
        var state = new SpeculationState(SpeculationKind.NGram, 16);
        var limits = new List<int>();
        foreach (var accepted in new[] { 4, 8, 16, 3, 4, 0, 0 })
        {
            limits.Add(state.Limit);
            state.Learn(state.Limit, accepted);
        }

        Assert.Equal([4, 8, 16, 16, 4, 8, 1], limits);
        Assert.Equal((57, 35), (state.Drafted, state.Accepted));
        limits.Clear();
        for (var i = 0; i < 9; i++)
        {
            limits.Add(state.Limit);
            state.Learn(state.Limit, 0);
        }

        Assert.Equal([0, 0, 1, 0, 0, 0, 0, 1, 0], limits);
    }
}
