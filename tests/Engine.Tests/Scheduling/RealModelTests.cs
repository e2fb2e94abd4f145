using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>The scheduler over real layers of every kind of state: keys, latent vectors, recurrences, and both side by side.</summary>
public sealed class RealModelTests
{
    [Theory]
    [InlineData("llama-q4_0")]
    [InlineData("plm-f32")]
    [InlineData("mamba2-f32")]
    [InlineData("falcon-h1-norm-f16")]
    [InlineData("smallthinker-f32")]
    public async Task Answers_are_the_recorded_ones_with_shared_prefixes_kept_states_and_company(string model)
    {
        var reference = ReferenceModel.Read(model);
        using var file = ReferenceModel.Open(model);
        // Room for few blocks and states, so that sequences wait, give way and begin again.
        var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions
        {
            Threads = 2,
            Stages = 2,
            KvPositions = 12 * 32,
            StateSlots = 5,
            MaxStepTokens = 40,
        });
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 4, GrowthReserve = 0 }, TimeProvider.System);
        int[] prompt = [.. Enumerable.Repeat(reference.Tokens, 3).SelectMany(tokens => tokens)];
        for (var round = 0; round < 2; round++)
        {
            var recorded = Enumerable.Range(0, 4).Select(_ => Generate(scheduler, reference.Tokens, reference.Greedy.Length));
            var others = Enumerable.Range(0, 6).Select(i => Generate(scheduler, [.. prompt, .. prompt[i..(i + 3)]], 30));
            var results = await Task.WhenAll(recorded.Concat(others));
            foreach (var tokens in results[..4])
                Assert.Equal(reference.Greedy, tokens);
            for (var i = 0; i < 6; i++)
                Assert.Equal(await AloneAsync(model, [.. prompt, .. prompt[i..(i + 3)]], 30), results[4 + i]);
        }

        var stats = scheduler.Stats;
        Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
        Assert.True(stats.ReusedPromptTokens > 0);
    }

    /// <summary>One sequence, one token at a time, no scheduler.</summary>
    private static async Task<List<int>> AloneAsync(string model, int[] prompt, int count)
    {
        using var file = ReferenceModel.Open(model);
        await using var pipeline = StepRunner.Load(file, threads: 1);
        int[] blocks = [.. Enumerable.Range(0, 6)];
        var batch = new StepBatch();
        var tokens = prompt.ToList();
        for (var position = 0; tokens.Count < prompt.Length + count; position++)
        {
            batch.Clear();
            batch.Add([tokens[position]], position, blocks, 1, stateSlot: 0);
            var next = StepRunner.ArgMax(StepRunner.Forward(pipeline, batch).Span);
            if (position == tokens.Count - 1)
                tokens.Add(next);
        }

        return tokens[prompt.Length..];
    }

    private static async Task<List<int>> Generate(Scheduler scheduler, int[] prompt, int count) =>
        (await ReferenceGeneration.Collect(scheduler.GenerateAsync(new GenerationRequest
        {
            Prompt = prompt,
            Sampling = new SamplingOptions { MaxTokens = count, Temperature = 0, Seed = 1 },
        }))).Tokens;
}
