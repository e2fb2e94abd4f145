using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class PrefixSharingTests
{
    private static readonly int[][] Stems = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 9], [1, 2, 3, 4, 5, 6, 7, 8, 8, 8], []];

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Gen.Int[0, 3].Select(i => Stems[i]), Gen.Int[0, 3].Array[1, 12], Gen.Int[1, 25], Gen.ULong, Gen.OneOf(Gen.Const(0f), Gen.Const(0.8f)),
        (stem, rest, max, seed, temperature) => new GenerationRequest
        {
            Prompt = [.. stem, .. rest],
            EndTokens = new HashSet<int> { 7 },
            EchoPromptLogProbs = seed % 5 == 0,
            Sampling = new SamplingOptions { MaxTokens = max, Seed = seed, Temperature = temperature, LogProbs = true, TopLogProbs = 1 },
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_are_the_same_with_shared_prefixes_in_any_batch_chunking_eviction_and_preemption()
    {
        long reused = 0, preemptions = 0;
        await Gen.Select(Request.Array[1, 14], Gen.Int[1, 7], Gen.Int[50, 120], Gen.Int[1, 30], Gen.Int[0, 6]).SampleAsync(
            async (requests, blockSize, positions, step, running) =>
            {
                var pipeline = new HashPipeline(50, blockSize, (positions + blockSize - 1) / blockSize, step, context: 50);
                await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = running + 1, GrowthReserve = running / 6.0 }, TimeProvider.System);
                for (var round = 0; round < 2; round++)
                {
                    var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
                    for (var i = 0; i < requests.Length; i++)
                    {
                        var (tokens, finish) = ReferenceGeneration.Run(pipeline, requests[i], scheduler.ContextLength);
                        Assert.Equal(tokens, results[i].Tokens);
                        Assert.Equal(finish, results[i].Last.Finish);
                    }
                }

                var stats = scheduler.Stats;
                Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
                Assert.Equal(2 * requests.Sum(r => r.Prompt.Length), stats.AdmittedPromptTokens);
                Interlocked.Add(ref reused, stats.ReusedPromptTokens);
                Interlocked.Add(ref preemptions, stats.Preemptions);
            },
            iter: 150, threads: 2);
        Assert.True(reused > 1000 && preemptions > 0, $"{reused} tokens reused, {preemptions} preemptions");
    }

    [Fact]
    public async Task A_prompt_that_leaves_a_known_one_inside_a_block_computes_only_what_differs()
    {
        var pipeline = new HashPipeline(blockSize: 4);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] first = [.. Enumerable.Range(0, 15)];
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(first, 1), Token));
        var steps = new List<(int Start, int Count, int Copies)>();
        pipeline.OnStep = batch => steps.Add((batch.Items[0].StartPosition, batch.Items[0].Count, batch.Copies.Length));

        // Two blocks and half of the third are the same.
        var second = Plain([.. first[..10], 49, 49, 49], 1);
        var (tokens, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(second, Token));
        Assert.Equal((10, 3, 1), Assert.Single(steps));
        Assert.Equal(ReferenceGeneration.Run(pipeline, second, 200).Tokens, tokens);
        Assert.Equal(10, last.Timings.ReusedPromptTokens);

        // The first one again: its blocks have not been written by the second. Its last token is computed for its logits.
        steps.Clear();
        (tokens, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(first, 1), Token));
        Assert.Equal((14, 1, 1), Assert.Single(steps));
        Assert.Equal(ReferenceGeneration.Run(pipeline, Plain(first, 1), 200).Tokens, tokens);
        Assert.Equal((15 + 13 + 15, 24), ((int)scheduler.Stats.AdmittedPromptTokens, (int)scheduler.Stats.ReusedPromptTokens));
        Assert.Equal(24.0 / 43, scheduler.Stats.PrefixHitRate, 1e-12);
    }

    [Fact]
    public async Task A_conversation_computes_only_its_new_turn()
    {
        var pipeline = new HashPipeline(blockSize: 4);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] first = [.. Enumerable.Range(0, 9)];
        var (answer, _) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(first, 6), Token));
        var (_, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. first, .. answer, 3, 4], 2), Token));

        // All but the answer's last token, which nothing followed.
        Assert.Equal(14, last.Timings.ReusedPromptTokens);
    }

    [Fact]
    public async Task Sequences_of_one_prefix_hold_its_blocks_together()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(blockSize: 4, gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] prefix = [.. Enumerable.Range(0, 16)];
        var used = new List<int>();
        pipeline.OnStep = batch =>
        {
            if (batch.Items.Length == 5 && batch.TokenCount == 5)
                used.Add(scheduler.Stats.KvBlocksUsed);
        };
        var all = new List<Task>();
        for (var i = 0; i < 5; i++)
        {
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([.. prefix, 40 + i], 3), Token)));
            await SchedulerPropertyTests.Settle(() => scheduler.Stats.Running == 1 && scheduler.Stats.Waiting == i);
        }

        gate.Release(100);
        await Task.WhenAll(all);

        // Four were admitted after the first had computed the prefix: it is there once, and a block of each.
        Assert.NotEmpty(used);
        Assert.All(used, blocks => Assert.Equal(4 + 5, blocks));
    }

    [Fact]
    public async Task Scopes_do_not_share()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        var request = Plain([.. Enumerable.Range(0, 20)], 1);
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Terms = new RequestTerms { Scope = "a" } }, Token));
        var other = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Terms = new RequestTerms { Scope = "b" } }, Token));
        var same = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Terms = new RequestTerms { Scope = "a" } }, Token));
        Assert.Equal((0, 19), (other.Last.Timings.ReusedPromptTokens, same.Last.Timings.ReusedPromptTokens));
    }

    [Fact]
    public async Task Turned_off_nothing_is_kept()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions { PrefixSharing = false }, TimeProvider.System);
        var request = Plain([.. Enumerable.Range(0, 20)], 1);
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        Assert.Equal(0, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token))).Last.Timings.ReusedPromptTokens);
        Assert.Equal((0, 0L, 0L), (scheduler.Stats.KvBlocksIdle, scheduler.Stats.AdmittedPromptTokens, scheduler.Stats.ReusedPromptTokens));
    }

    [Fact]
    public async Task Scores_reuse_the_context_and_are_the_same()
    {
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] context = [.. Enumerable.Range(0, 30)];
        var first = await scheduler.ScoreAsync(context, [1, 2, 3], 2, Token);
        await scheduler.ScoreAsync(context, [4, 5], 2, Token);
        var again = await scheduler.ScoreAsync(context, [1, 2, 3], 2, Token);
        Assert.Equal(first.SumLogProb, again.SumLogProb);
        Assert.Equal(29 + 29, scheduler.Stats.ReusedPromptTokens);
    }

    [Fact]
    public async Task After_a_failed_step_nothing_computed_before_is_trusted()
    {
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var request = Plain([.. Enumerable.Range(0, 20)], 1);
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        pipeline.OnStep = _ => throw new IOException("the silo is gone");
        await Assert.ThrowsAsync<PipelineFailedException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token)));
        pipeline.OnStep = null;
        Assert.Equal(0, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token))).Last.Timings.ReusedPromptTokens);
    }

    [Theory]
    [InlineData("llama-q4_0", 1)]
    [InlineData("qwen3-f32", 2)]
    public async Task A_models_log_probabilities_are_the_same_bits_with_and_without_a_hit(string name, int stages)
    {
        using var file = ModelFile.Open(ReferenceModels.Path(name));
        var vocabulary = file.Config.VocabSize;
        int[] prompt = [.. Enumerable.Range(0, 80).Select(i => i * 31 % vocabulary)];
        int[][] prompts = [prompt, prompt, [.. prompt[..50], .. prompt[..20]], [.. prompt, 1, 2, 3], prompt[..33]];
        async Task<List<float?>> RunAsync(bool sharing)
        {
            await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1, Stages = stages });
            await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { PrefixSharing = sharing }, TimeProvider.System);
            var values = new List<float?>();
            foreach (var one in prompts)
            {
                await foreach (var item in scheduler.GenerateAsync(
                    new GenerationRequest { Prompt = one, Sampling = new SamplingOptions { MaxTokens = 8, Seed = 4, LogProbs = true, TopLogProbs = 5 } }, Token))
                {
                    values.Add(item.Token!.LogProb);
                    values.AddRange(item.Token.Top.Select(t => (float?)t.LogProb));
                }
            }

            Assert.Equal(sharing ? 79 + 50 + 80 + 32 : 0, scheduler.Stats.ReusedPromptTokens);
            return values;
        }

        Assert.Equal(await RunAsync(false), await RunAsync(true));
    }

    private static GenerationRequest Plain(int[] prompt, int maxTokens) =>
        new() { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = 1 } };
}
