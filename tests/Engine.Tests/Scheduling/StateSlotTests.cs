using CsCheck;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>Models whose state is not in the KV blocks alone.</summary>
public sealed class StateSlotTests
{
    private static readonly int[][] Stems = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 9], []];

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Gen.Int[0, 2].Select(i => Stems[i]), Gen.Int[0, 3].Array[1, 14], Gen.Int[1, 25], Gen.ULong,
        (stem, rest, max, seed) => new GenerationRequest
        {
            Prompt = [.. stem, .. rest],
            EndTokens = new HashSet<int> { 7 },
            EchoPromptLogProbs = seed % 5 == 0,
            Sampling = new SamplingOptions { MaxTokens = max, Seed = seed, LogProbs = true },
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_are_the_same_with_kept_states_in_any_batch_chunking_eviction_and_preemption()
    {
        long reused = 0, preemptions = 0;
        await Gen.Select(Request.Array[1, 14], Gen.Int[1, 7], Gen.Int[50, 120], Gen.Int[1, 30], Gen.Int[1, 12], Gen.Int[1, 30]).SampleAsync(
            async (requests, blockSize, positions, step, slots, rows) =>
            {
                var pipeline = new HashPipeline(50, blockSize, (positions + blockSize - 1) / blockSize, step, context: 50, stateSlots: slots);
                var options = new SchedulerOptions { MaxRunning = 1 + (rows % 5), GrowthReserve = rows % 2, MaxLogitRows = rows, Speculation = SpeculationKind.NGram };
                await using var scheduler = new Scheduler(pipeline, options, TimeProvider.System);
                for (var round = 0; round < 2; round++)
                {
                    var embedding = scheduler.EmbedAsync([.. Stems[0], round], PoolingKind.Last);
                    var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
                    for (var i = 0; i < requests.Length; i++)
                    {
                        var (tokens, finish) = ReferenceGeneration.Run(pipeline, requests[i], scheduler.ContextLength);
                        Assert.Equal(tokens, results[i].Tokens);
                        Assert.Equal(finish, results[i].Last.Finish);
                    }

                    Assert.Equal(pipeline.Reference([.. Stems[0], round])[..8], await embedding);
                }

                var stats = scheduler.Stats;
                Assert.Equal((0, 0, 0, 0L), (stats.Running, stats.Waiting, stats.KvBlocksUsed, stats.DraftedTokens));
                Interlocked.Add(ref reused, stats.ReusedPromptTokens);
                Interlocked.Add(ref preemptions, stats.Preemptions);
            },
            iter: 200, threads: 2);
        Assert.True(reused > 500 && preemptions > 0, $"{reused} tokens reused, {preemptions} preemptions");
    }

    [Fact]
    public async Task A_conversation_goes_on_from_the_state_behind_its_last_block()
    {
        var pipeline = new HashPipeline(blockSize: 4, stateSlots: 5);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] prompt = [.. Enumerable.Range(0, 14)];
        var (answer, _) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(prompt, 9), Token));

        // 14 + 8 tokens were computed: five blocks.
        var (_, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. prompt, .. answer, 3, 4], 2), Token));
        Assert.Equal(20, last.Timings.ReusedPromptTokens);

        // Another continuation of the prompt starts behind its last full block.
        (_, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. prompt, 48], 2), Token));
        Assert.Equal(12, last.Timings.ReusedPromptTokens);
    }

    [Fact]
    public async Task A_failed_step_leaves_no_slot_behind()
    {
        var pipeline = new HashPipeline(stateSlots: 2);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        for (var i = 0; i < 5; i++)
        {
            pipeline.OnStep = batch => Assert.True(batch.Items[0].StartPosition < 10, "the silo is gone");
            await Assert.ThrowsAsync<PipelineFailedException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. Enumerable.Range(0, 9)], 9), Token)));
            pipeline.OnStep = null;
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. Enumerable.Range(0, 9)], 9), Token))));
        }
    }

    [Fact]
    public void A_draft_model_with_state_is_refused() =>
        Assert.Throws<ArgumentException>(() => new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System, new HashPipeline(stateSlots: 1)));

    private static GenerationRequest Plain(int[] prompt, int maxTokens) =>
        new() { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = 1 } };
}
