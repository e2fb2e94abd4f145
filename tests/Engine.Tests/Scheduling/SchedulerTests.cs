using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class SchedulerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cancelled_request_has_freed_its_blocks_before_the_next_step()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var stats = new List<SchedulerStats>();
        var steps = new SemaphoreSlim(0);
        pipeline.OnStep = _ =>
        {
            stats.Add(scheduler.Stats);
            steps.Release();
        };
        using var cancel = new CancellationTokenSource();
        var stays = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1, 2, 3], 4), Token));
        await steps.WaitAsync(Token);
        var goes = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([.. Enumerable.Range(0, 17)], 50), cancel.Token));
        gate.Release();
        await steps.WaitAsync(Token);
        Assert.Equal((2, 1 + 5), (stats[1].Running, stats[1].KvBlocksUsed));

        // The second step runs with both; the client goes during it.
        await cancel.CancelAsync();
        gate.Release();
        await steps.WaitAsync(Token);
        Assert.Equal((1, 2, 1), (stats[2].Running, stats[2].KvBlocksUsed, (int)stats[2].Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => goes);
        gate.Release(10);
        Assert.Equal(4, (await stays).Tokens.Count);
    }

    [Fact]
    public async Task Leaving_the_enumeration_frees_the_sequence()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions { EventBuffer = 2 }, TimeProvider.System);
        await foreach (var item in scheduler.GenerateAsync(Request([1], 100), Token))
        {
            Assert.NotNull(item.Token);
            break;
        }

        await SchedulerPropertyTests.Settle(() => scheduler.Stats is { Running: 0, KvBlocksUsed: 0, Completed: 1, Cancelled: 0 });
    }

    [Fact]
    public async Task Requests_start_in_the_order_they_came()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(gate: gate, maxStepTokens: 16);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 2 }, TimeProvider.System);
        var firstTokens = new List<int>();
        pipeline.OnStep = batch =>
        {
            foreach (var item in batch.Items)
            {
                if (item.StartPosition == 0)
                    firstTokens.Add(batch.Tokens[item.FirstToken]);
            }
        };
        var all = new List<Task>();
        for (var i = 0; i < 10; i++)
        {
            // The long one is first in the queue; the short ones behind it must not overtake.
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([i, .. new int[i == 2 ? 90 : 3]], 1 + i % 4), Token)));
            await SchedulerPropertyTests.Settle(() => scheduler.Stats.Running + scheduler.Stats.Waiting == i + 1);
        }

        gate.Release(1000);
        await Task.WhenAll(all);
        Assert.Equal(Enumerable.Range(0, 10), firstTokens);
    }

    [Fact]
    public async Task Running_sequences_get_a_token_in_every_step_while_a_long_prompt_is_computed()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(gate: gate, maxStepTokens: 8);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var shapes = new List<string>();
        pipeline.OnStep = batch => shapes.Add(string.Join(' ', batch.Items.ToArray().Select(i => i.Count)));
        var runs = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1, 2], 6), Token));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.Running == 1 && shapes.Count == 1);
        var comes = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(new int[30], 2), Token));
        gate.Release(100);
        await Task.WhenAll(runs, comes);
        Assert.Equal(["2", "1 7", "1 7", "1 7", "1 7", "1 2", "1"], shapes);
    }

    [Fact]
    public async Task A_consumer_that_takes_nothing_pauses_only_its_own_sequence_and_then_loses_nothing()
    {
        var pipeline = new HashPipeline(blockCount: 40, context: 100);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { EventBuffer = 3 }, TimeProvider.System);
        var slow = Request([1, 2], 60, seed: 3);
        await using var reader = scheduler.GenerateAsync(slow, Token).GetAsyncEnumerator(Token);
        Assert.True(await reader.MoveNextAsync());

        // Others finish, though the paused one holds blocks that they need.
        for (var i = 0; i < 3; i++)
            Assert.Equal(90, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([5, 6], 90), Token))).Tokens.Count);
        Assert.Equal(90, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(new int[10], 90), Token))).Tokens.Count);

        // One event was taken, three fill its channel.
        Assert.Equal(4 * 90 + 4, scheduler.Stats.GeneratedTokens);
        var tokens = new List<int> { reader.Current.Token!.TokenId };
        while (await reader.MoveNextAsync())
            tokens.Add(reader.Current.Token!.TokenId);
        Assert.Equal(ReferenceGeneration.Run(pipeline, slow, 100).Tokens, tokens);
    }

    [Fact]
    public async Task A_paused_sequence_gives_its_place_to_waiting_ones()
    {
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { EventBuffer = 2, MaxRunning = 1 }, TimeProvider.System);
        var slow = Request([1, 2], 30, seed: 8);
        await using var reader = scheduler.GenerateAsync(slow, Token).GetAsyncEnumerator(Token);
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(20, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([4], 20), Token))).Tokens.Count);
        Assert.Equal(1, scheduler.Stats.Preemptions);
        var tokens = new List<int> { reader.Current.Token!.TokenId };
        while (await reader.MoveNextAsync())
            tokens.Add(reader.Current.Token!.TokenId);
        Assert.Equal(ReferenceGeneration.Run(pipeline, slow, 200).Tokens, tokens);
    }

    [Fact]
    public async Task Too_many_waiting_requests_are_refused_with_a_delay()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 1, MaxWaiting = 2 }, TimeProvider.System);
        var accepted = Enumerable.Range(0, 3).Select(_ => ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 1), Token))).ToArray();
        var error = await Assert.ThrowsAsync<CapacityExceededException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 1), Token)));
        Assert.InRange(error.RetryAfter, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        gate.Release(10);
        await Task.WhenAll(accepted);
        Assert.Single((await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 1), Token))).Tokens);
    }

    [Fact]
    public async Task A_prompt_longer_than_the_context_is_refused_with_both_numbers()
    {
        await using var scheduler = new Scheduler(new HashPipeline(context: 20), new SchedulerOptions(), TimeProvider.System);
        var error = Assert.Throws<ContextLengthExceededException>(() => scheduler.GenerateAsync(Request(new int[21], 1), Token));
        Assert.Equal((21, 20), (error.PromptTokens, error.ContextLength));
        Assert.Contains("21", error.Message, StringComparison.Ordinal);
        Assert.Contains("20", error.Message, StringComparison.Ordinal);
        Assert.Throws<ContextLengthExceededException>(() => scheduler.GenerateAsync(Request(new int[20], 1), Token));
        await Assert.ThrowsAsync<ContextLengthExceededException>(() => scheduler.ScoreAsync(new int[20], [1], 0, Token));
        Assert.Equal(20, (await scheduler.ScoreAsync([1], [.. new int[19]], 0, Token)).Tokens.Count + 1);
    }

    [Fact]
    public async Task Without_max_tokens_the_answer_ends_with_the_context()
    {
        await using var scheduler = new Scheduler(new HashPipeline(context: 25), new SchedulerOptions(), TimeProvider.System);
        var (tokens, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1, 2, 3, 4, 5], null), Token));
        Assert.Equal((20, FinishKind.Length), (tokens.Count, last.Finish));
    }

    [Fact]
    public async Task A_context_larger_than_the_kv_cache_is_cut_to_it()
    {
        await using var scheduler = new Scheduler(new HashPipeline(blockCount: 3, blockSize: 4, context: 25), new SchedulerOptions(), TimeProvider.System);
        Assert.Equal(12, scheduler.ContextLength);
        Assert.Equal(11, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], null), Token))).Tokens.Count);
    }

    [Fact]
    public async Task End_and_stop_tokens_end_the_answer_as_asked()
    {
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var free = Request([1, 2], 40, seed: 1);
        var all = (await ReferenceGeneration.Collect(scheduler.GenerateAsync(free, Token))).Tokens;
        var end = all[5];
        var ended = await ReferenceGeneration.Collect(scheduler.GenerateAsync(free with { EndTokens = new HashSet<int> { end } }, Token));
        Assert.Equal(all[..(all.IndexOf(end) + 1)], ended.Tokens);
        Assert.Equal(FinishKind.Stop, ended.Last.Finish);
        var ignored = free with { EndTokens = new HashSet<int> { end }, Sampling = free.Sampling with { IgnoreEos = true } };
        Assert.Equal(all, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(ignored, Token))).Tokens);
        var stopped = ignored with { Sampling = ignored.Sampling with { StopTokenIds = [end] } };
        Assert.Equal(ended.Tokens, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(stopped, Token))).Tokens);
    }

    [Fact]
    public async Task A_failing_step_ends_its_requests_and_the_next_request_works()
    {
        var pipeline = new HashPipeline { OnStep = _ => throw new IOException("the silo is gone") };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var error = await Assert.ThrowsAsync<PipelineFailedException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 3), Token)));
        Assert.Contains("the silo is gone", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<PipelineFailedException>(() => scheduler.ScoreAsync([1], [2], 0, Token));
        await Assert.ThrowsAsync<PipelineFailedException>(() => scheduler.EmbedAsync([1], PoolingKind.Mean, Token));
        pipeline.OnStep = null;
        Assert.Equal(3, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 3), Token))).Tokens.Count);
        Assert.Equal((3, 1, 0), ((int)scheduler.Stats.Failed, (int)scheduler.Stats.Completed, scheduler.Stats.KvBlocksUsed));
    }

    [Fact]
    public async Task Broken_logits_end_only_the_sequence_that_has_them()
    {
        var pipeline = new HashPipeline();
        pipeline.OnRows = (batch, rows) =>
        {
            for (var i = 0; i < batch.Items.Length; i++)
            {
                if (batch.Items[i].Count == 7)
                    rows[i * 50] = float.NaN;
            }
        };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var good = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1, 2], 9), Token));
        var bad = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(new int[7], 9), Token));
        await Assert.ThrowsAsync<InvalidLogitsException>(() => bad);
        Assert.Equal(9, (await good).Tokens.Count);
    }

    [Fact]
    public async Task Embeddings_are_pooled_from_the_hidden_states_in_any_chunking()
    {
        var whole = new HashPipeline(maxStepTokens: 64);
        var chunked = new HashPipeline(maxStepTokens: 5);
        await using var one = new Scheduler(whole, new SchedulerOptions(), TimeProvider.System);
        await using var other = new Scheduler(chunked, new SchedulerOptions(), TimeProvider.System);
        int[] tokens = [.. Enumerable.Range(3, 23)];
        var busy = ReferenceGeneration.Collect(other.GenerateAsync(Request([1, 2], 30), Token));
        var rows = Enumerable.Range(1, tokens.Length).Select(n => whole.Reference(tokens.AsSpan(0, n))[..8]).ToArray();
        foreach (var pooling in Enum.GetValues<PoolingKind>())
        {
            var vector = await one.EmbedAsync(tokens, pooling, Token);
            Assert.Equal(vector, await other.EmbedAsync(tokens, pooling, Token));
            for (var i = 0; i < 8; i++)
            {
                var expected = pooling switch { PoolingKind.Cls => rows[0][i], PoolingKind.Last => rows[^1][i], _ => rows.Average(r => (double)r[i]) };
                Assert.Equal(expected, vector[i], 1e-6);
            }
        }

        Assert.Equal(30, (await busy).Tokens.Count);
    }

    [Fact]
    public async Task Disposal_lets_running_requests_end_and_refuses_new_ones()
    {
        using var gate = new SemaphoreSlim(0);
        var scheduler = new Scheduler(new HashPipeline(gate: gate), new SchedulerOptions(), TimeProvider.System);
        var running = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 5), Token));
        var disposal = scheduler.DisposeAsync().AsTask();
        await Assert.ThrowsAsync<SchedulerStoppedException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 5), Token)));
        Assert.False(disposal.IsCompleted);
        gate.Release(10);
        Assert.Equal(5, (await running).Tokens.Count);
        await disposal;
    }

    [Fact]
    public async Task Disposal_ends_what_does_not_end_in_time()
    {
        using var gate = new SemaphoreSlim(0);
        var time = new ManualTime();
        var scheduler = new Scheduler(new HashPipeline(gate: gate), new SchedulerOptions { DrainTimeout = TimeSpan.FromSeconds(5) }, time);
        var running = ReferenceGeneration.Collect(scheduler.GenerateAsync(Request([1], 5), Token));
        var disposal = scheduler.DisposeAsync().AsTask();
        time.Advance(TimeSpan.FromSeconds(6));
        await disposal;
        var error = await Assert.ThrowsAnyAsync<Exception>(() => running);
        Assert.True(error is SchedulerStoppedException or PipelineFailedException { InnerException: OperationCanceledException }, error.ToString());
    }

    [Fact]
    public async Task Timings_come_from_the_given_clock()
    {
        var time = new ManualTime();
        var pipeline = new HashPipeline(maxStepTokens: 4) { OnStep = _ => time.Advance(TimeSpan.FromMilliseconds(10)) };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), time);
        var (_, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(new int[8], 4, seed: 77), Token));
        var timings = last.Timings;
        Assert.Equal((0, 20, 30), (timings.Queue.TotalMilliseconds, timings.Prefill.TotalMilliseconds, timings.Decode.TotalMilliseconds));
        Assert.Equal(77UL, timings.Seed);
    }

    [Fact]
    public async Task A_drawn_seed_reproduces_the_answer()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        var request = Request([1, 2], 20);
        var first = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        var seed = first.Last.Timings.Seed;
        var again = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Sampling = request.Sampling with { Seed = seed } }, Token));
        Assert.Equal(first.Tokens, again.Tokens);
        Assert.True(seed < 1UL << 53);
    }

    [Fact]
    public async Task An_id_outside_the_vocabulary_is_named()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        var error = Assert.Throws<ArgumentException>(() => scheduler.GenerateAsync(Request([1, 50], 1), Token));
        Assert.Contains("Token 50 at position 1", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => scheduler.GenerateAsync(Request([], 1), Token));
    }

    private static GenerationRequest Request(int[] prompt, int? maxTokens, ulong? seed = null) =>
        new() { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = seed } };
}
