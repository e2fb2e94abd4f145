using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class AdmissionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_whose_time_is_up_in_the_queue_ends_with_that()
    {
        using var gate = new SemaphoreSlim(0);
        var time = new ManualTime();
        var pipeline = new HashPipeline(gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 1 }, time);
        var running = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1], 3), Token));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.Running == 1);
        var waiting = ReferenceGeneration.Collect(scheduler.GenerateAsync(Within(Plain([2], 3), 50), Token));
        var score = scheduler.ScoreAsync([1], [2], 0, new RequestTerms { Timeout = TimeSpan.FromMilliseconds(50) }, null, Token);
        time.Advance(TimeSpan.FromMilliseconds(51));
        gate.Release(100);
        var error = await Assert.ThrowsAsync<DeadlineExceededException>(() => waiting);
        Assert.Equal((50, false), (error.Timeout.TotalMilliseconds, error.Started));
        await Assert.ThrowsAsync<DeadlineExceededException>(() => score);
        Assert.Equal(3, (await running).Tokens.Count);
        Assert.Equal((2, 0, 0), ((int)scheduler.Stats.Expired, (int)scheduler.Stats.Failed, (int)scheduler.Stats.Cancelled));
    }

    [Fact]
    public async Task A_request_whose_time_is_up_while_running_ends_after_the_step_and_frees_its_blocks()
    {
        var time = new ManualTime();
        var pipeline = new HashPipeline { OnStep = _ => time.Advance(TimeSpan.FromMilliseconds(10)) };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), time);
        var tokens = 0;
        var error = await Assert.ThrowsAsync<DeadlineExceededException>(async () =>
        {
            await foreach (var item in scheduler.GenerateAsync(Within(Plain([1, 2], 100), 35), Token))
                tokens++;
        });
        Assert.True(error.Started);
        Assert.Equal(4, tokens);
        Assert.Equal((0, 0, 1L), (scheduler.Stats.KvBlocksUsed, scheduler.Stats.Running, scheduler.Stats.Expired));
        Assert.Equal(2, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Within(Plain([1, 2], 2), 35), Token))).Tokens.Count);
    }

    [Fact]
    public async Task Time_runs_out_for_a_paused_request_too()
    {
        var time = new ManualTime();
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions { EventBuffer = 2 }, time);
        await using var reader = scheduler.GenerateAsync(Within(Plain([1], 50), 1000), Token).GetAsyncEnumerator(Token);
        Assert.True(await reader.MoveNextAsync());
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.GeneratedTokens == 3);
        time.Advance(TimeSpan.FromSeconds(2));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.Expired == 1);
        await Assert.ThrowsAsync<DeadlineExceededException>(async () =>
        {
            while (await reader.MoveNextAsync())
            {
            }
        });
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.0)]
    public async Task Requests_are_admitted_by_the_memory_they_are_predicted_to_need(double reserve)
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(blockSize: 4, blockCount: 20, context: 60, gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { GrowthReserve = reserve }, TimeProvider.System);
        var requests = Enumerable.Range(0, 12).Select(i => Plain([i, i + 1], 38, (ulong)i)).ToArray();
        var all = requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r, Token))).ToArray();
        gate.Release(100_000);
        var results = await Task.WhenAll(all);
        for (var i = 0; i < requests.Length; i++)
            Assert.Equal(ReferenceGeneration.Run(pipeline, requests[i], 60).Tokens, results[i].Tokens);

        // Ten blocks each: two at a time never run out. All twelve at once do, and are computed again.
        Assert.Equal(reserve == 0, scheduler.Stats.Preemptions > 0);
        Assert.Equal(reserve == 0, results.Any(r => r.Last.Timings.Preemptions > 0));
    }

    [Fact]
    public async Task Answers_that_end_early_let_more_requests_in_at_a_time()
    {
        // Nobody knows that the answers have one token; the limit would let only one in at a time.
        var pipeline = new HashPipeline(blockSize: 4, blockCount: 40, context: 160);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var most = 0;
        var ends = Enumerable.Range(0, 50).ToHashSet();
        async Task<int> MostAtATime()
        {
            var all = new List<Task>();
            most = 0;
            pipeline.OnStep = _ =>
            {
                most = Math.Max(most, scheduler.Stats.Running);
                while (all.Count < 10)
                    all.Add(Start());
            };
            await Start();
            await Task.WhenAll(all);
            return most;
        }

        Task Start() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1, 2, 3], 150) with { EndTokens = ends }, Token));
        Assert.InRange(await MostAtATime(), 1, 3);
        for (var round = 0; round < 40; round++)
            await Start();
        Assert.InRange(await MostAtATime(), 6, 10);
    }

    [Fact]
    public async Task Requests_that_would_need_too_much_memory_together_are_refused_with_a_delay()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(blockSize: 4, blockCount: 25, context: 100, gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxDemand = 2 }, TimeProvider.System);
        var accepted = Enumerable.Range(0, 2).Select(_ => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(new int[90], 2), Token))).ToArray();
        var error = await Assert.ThrowsAsync<CapacityExceededException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(new int[30], 2), Token)));
        Assert.InRange(error.RetryAfter, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        Assert.Contains("184 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("holds 100", error.Message, StringComparison.Ordinal);
        var small = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1], 2), Token));
        gate.Release(1000);
        await Task.WhenAll(accepted);
        await small;
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(new int[30], 2), Token));
    }

    private static GenerationRequest Plain(int[] prompt, int maxTokens, ulong seed = 1) =>
        new() { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = seed } };

    private static GenerationRequest Within(GenerationRequest request, int milliseconds) =>
        request with { Terms = new RequestTerms { Timeout = TimeSpan.FromMilliseconds(milliseconds) } };
}
