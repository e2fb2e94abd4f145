using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Tests.Scheduling;

namespace Slm.Engine.Tests.Speculation;

public sealed class GivenDraftTests
{
    [Theory]
    // Nothing said yet; in step; at the end; another token; one wrong, back in step; behind an insertion; lost.
    [InlineData("", "123")]
    [InlineData("12", "345")]
    [InlineData("123456", "")]
    [InlineData("9", "")]
    [InlineData("12945", "6")]
    [InlineData("1997234", "56")]
    [InlineData("777", "")]
    public void What_follows_is_proposed(string answer, string expected)
    {
        var proposal = new int[3];
        var count = GivenDraft.Propose(Digits("123456"), Digits(answer), proposal);
        Assert.Equal(Digits(expected), proposal[..count]);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public async Task The_answer_itself_as_draft_saves_steps_and_changes_nothing(float temperature)
    {
        var token = TestContext.Current.CancellationToken;
        var pipeline = new HashPipeline(50, 4, 40, 60, context: 100);
        var request = new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 60, Seed = 5, Temperature = temperature, LogProbs = true } };
        await using var plain = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var alone = await ReferenceGeneration.Collect(plain.GenerateAsync(request, token));
        var steps = plain.Stats.Steps;
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var drafted = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Draft = [.. alone.Tokens] }, token));
        Assert.Equal(alone.Tokens, drafted.Tokens);
        Assert.Equal(drafted.Last.Timings.DraftedTokens, drafted.Last.Timings.AcceptedTokens);
        // 4, then 8 tokens a step: the first proposal doubles.
        Assert.True(scheduler.Stats.Steps * 4 < steps, $"{scheduler.Stats.Steps} steps instead of {steps}");
    }

    [Fact]
    public async Task A_draft_of_other_tokens_is_refused()
    {
        var pipeline = new HashPipeline(50, 4, 40, 60, context: 100);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var error = Assert.Throws<SamplingOptionException>(() => { _ = scheduler.GenerateAsync(new GenerationRequest { Prompt = [1], Draft = [50] }, TestContext.Current.CancellationToken); });
        Assert.Contains("draft_token_ids", error.Message, StringComparison.Ordinal);
    }

    private static int[] Digits(string text) => [.. text.Select(c => c - '0')];
}
