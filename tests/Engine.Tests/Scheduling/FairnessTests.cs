using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class FairnessTests
{
    private static readonly SchedulerOptions NoSharing = new() { PrefixSharing = false };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_long_prompt_never_holds_a_running_answer_up_for_more_than_a_chunk() =>
        await Gen.Select(Gen.Int[1, 20], Gen.Int[5, 40], Gen.Int[20, 150].Array[1, 4], Gen.Int[1, 4]).SampleAsync(
            async (chunk, step, prompts, answers) =>
            {
                const int Length = 60;
                using var gate = new SemaphoreSlim(0);
                var pipeline = new HashPipeline(blockCount: 400, maxStepTokens: step, gate: gate);
                await using var scheduler = new Scheduler(pipeline, NoSharing with { ChunkTokens = chunk }, TimeProvider.System);
                var all = new List<Task>();
                var trace = new List<Dictionary<int, (int Start, int Count)>>();
                pipeline.OnStep = batch =>
                {
                    var shares = new Dictionary<int, (int Start, int Count)>();
                    foreach (var item in batch.Items)
                        shares.Add(batch.BlocksOf(item)[0], (item.StartPosition, item.Count));

                    // Once all answers are under way, the long prompts come.
                    if (all.Count == answers && shares.Count == answers && shares.Values.All(s => s.Start > 0))
                    {
                        trace.Clear();
                        foreach (var length in prompts)
                            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(new int[length], 2))));
                    }

                    trace.Add(shares);
                };
                for (var i = 0; i < answers; i++)
                    all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1], Length))));
                gate.Release(100_000);
                await SchedulerPropertyTests.Settle(() => scheduler.Stats is { Running: 0, Waiting: 0 });
                await Task.WhenAll(all);
                Assert.Equal(answers + prompts.Length, all.Count);

                var running = trace[0];
                for (var s = 1; s < trace.Count; s++)
                {
                    var unfinished = running.Where(r => r.Value.Start + s < Length).ToList();
                    foreach (var (block, (start, _)) in unfinished)
                        Assert.Equal((start + s, 1), trace[s][block]);
                    var computed = trace[s].Values.Sum(share => share.Count);
                    if (unfinished.Count > 0)
                        Assert.InRange(computed - unfinished.Count, 0, chunk + prompts.Length);
                    Assert.InRange(computed, 1, step);
                }

                // And the prompts do come in.
                Assert.True(trace[1].Count > answers);
            },
            iter: 60, threads: 2);

    [Fact]
    public async Task A_client_with_one_request_does_not_wait_for_the_many_of_another()
    {
        var pipeline = new HashPipeline(blockCount: 400, maxStepTokens: 16);
        await using var scheduler = new Scheduler(pipeline, NoSharing, TimeProvider.System);
        var all = new List<Task>();
        var steps = 0;
        int? came = null, first = null;
        pipeline.OnStep = batch =>
        {
            steps++;
            if (steps == 3)
            {
                came = steps;
                all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([40, 41, 42], 2, "modest"), Token)));
            }

            foreach (var item in batch.Items)
            {
                if (item.StartPosition == 0 && batch.Tokens[item.FirstToken] == 40)
                    first = steps;
            }
        };
        for (var i = 0; i < 20; i++)
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(new int[150], 5, "greedy"), Token)));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats is { Completed: 21 });
        await Task.WhenAll(all);

        // Twenty prompts take 200 steps. It starts level with the other, so that one may have another chunk.
        Assert.InRange(first!.Value - came!.Value, 1, 2);
    }

    [Fact]
    public async Task Clients_that_always_want_tokens_get_equal_shares_whatever_they_ask_for()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(blockCount: 400, maxStepTokens: 8, context: 100, gate: gate);
        await using var scheduler = new Scheduler(pipeline, NoSharing with { MaxRunning = 2, GrowthReserve = 0 }, TimeProvider.System);
        var served = new double[2];
        var lead = 0.0;
        var owner = new Dictionary<int, int>();
        pipeline.OnStep = batch =>
        {
            foreach (var item in batch.Items)
            {
                var block = batch.BlocksOf(item)[0];
                if (item.StartPosition == 0)
                    owner[block] = batch.Tokens[item.FirstToken];
                var prompt = owner[block] == 0 ? 30 : 5;
                served[owner[block]] += item.StartPosition >= prompt ? 2 * item.Count : item.Count;
            }

            // Until one of them has no more to ask.
            if (scheduler.Stats.Completed < 20)
                lead = Math.Max(lead, Math.Abs(served[0] - served[1]));
        };

        // One asks for long prompts and short answers, in great number; the other the other way round.
        var all = new List<Task>();
        for (var i = 0; i < 60; i++)
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([0, .. new int[29]], 5, "a"), Token)));
        for (var i = 0; i < 20; i++)
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1, 2, 2, 2, 2], 20, "b"), Token)));
        gate.Release(100_000);
        await Task.WhenAll(all);

        // A request of the first costs 30 + 2 · 4, of the second 5 + 2 · 19; two run at a time, and those before the second client came.
        Assert.InRange(lead, 1, 4 * 43);
    }

    [Fact]
    public async Task A_caller_gets_no_more_by_naming_many_users()
    {
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(blockCount: 400, maxStepTokens: 8, context: 100, gate: gate);
        await using var scheduler = new Scheduler(pipeline, NoSharing with { MaxRunning = 2, GrowthReserve = 0 }, TimeProvider.System);
        var served = new double[2];
        var lead = 0.0;
        var owner = new Dictionary<int, int>();
        pipeline.OnStep = batch =>
        {
            foreach (var item in batch.Items)
            {
                var block = batch.BlocksOf(item)[0];
                if (item.StartPosition == 0)
                    owner[block] = batch.Tokens[item.FirstToken];
                served[owner[block]] += item.StartPosition >= 10 ? 2 * item.Count : item.Count;
            }

            if (scheduler.Stats.Completed < 40)
                lead = Math.Max(lead, Math.Abs(served[0] - served[1]));
        };

        var all = new List<Task>();
        for (var i = 0; i < 40; i++)
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([0, .. new int[9]], 10, $"many/{i}"), Token)));
        for (var i = 0; i < 40; i++)
            all.Add(ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([1, .. new int[9]], 10, "one"), Token)));
        gate.Release(100_000);
        await Task.WhenAll(all);

        // A request costs 10 + 2 · 9; two run at a time, and those before the second client came.
        Assert.InRange(lead, 1, 4 * 28);
    }

    [Fact]
    public async Task An_urgent_request_takes_the_place_of_a_running_one_which_then_loses_nothing()
    {
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 1 }, TimeProvider.System);
        var starts = new List<int>();
        Task urgent = Task.CompletedTask;
        var patient = Plain([1, 2, 3], 30, seed: 4) with { Terms = new RequestTerms { Priority = 5 } };
        var steps = 0;
        pipeline.OnStep = batch =>
        {
            starts.Add(Assert.Single(batch.Items.ToArray()).StartPosition);
            if (++steps == 5)
                urgent = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain([9, 9], 6) with { Terms = new RequestTerms { Priority = -1 } }, Token));
        };
        var (tokens, _) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(patient, Token));
        await urgent;

        // Five steps of the patient one, six of the urgent one, and the patient one goes on where it was.
        Assert.Equal([0, 3, 4, 5, 6, 0, 2, 3, 4, 5, 6, 7], starts[..12]);
        Assert.Equal(1, scheduler.Stats.Preemptions);
        Assert.Equal(ReferenceGeneration.Run(pipeline, patient, 200).Tokens, tokens);
    }

    [Fact]
    public async Task A_priority_outside_its_range_is_named()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        var error = Assert.Throws<SamplingOptionException>(() => scheduler.GenerateAsync(Plain([1], 1) with { Terms = new RequestTerms { Priority = 101 } }, Token));
        Assert.Equal("priority", error.Field);
        error = await Assert.ThrowsAsync<SamplingOptionException>(() => scheduler.ScoreAsync([1], [2], 0, new RequestTerms { Timeout = TimeSpan.Zero }, null, Token));
        Assert.Equal("timeout_ms", error.Field);
    }

    private static GenerationRequest Plain(int[] prompt, int maxTokens, string client = "", ulong seed = 1) => new()
    {
        Prompt = prompt,
        Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = seed },
        Terms = new RequestTerms { Client = client },
    };
}
