using CsCheck;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class SchedulerPropertyTests
{
    private const int Vocab = 50;

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Gen.Int[0, Vocab - 1].Array[1, 40],
        Gen.Int[1, 30],
        Gen.OneOf(Gen.Const(0f), Gen.Const(0.7f), Gen.Const(1f)),
        Gen.ULong,
        Gen.OneOf(Gen.Const(0), Gen.Const(5)),
        Gen.OneOf(Gen.Const(1f), Gen.Const(1.3f)),
        Gen.Select(Gen.Int[0, 2], Gen.Int[-1, 1]),
        (prompt, max, temperature, seed, topK, repetition, terms) => new GenerationRequest
        {
            Prompt = prompt,
            EndTokens = new HashSet<int> { 7 },
            Sampling = new SamplingOptions
            {
                MaxTokens = max,
                Temperature = temperature,
                Seed = seed,
                TopK = topK,
                RepetitionPenalty = repetition,
                FrequencyPenalty = repetition - 1,
                LogProbs = seed % 3 == 0,
                TopLogProbs = 2,
            },
            EchoPromptLogProbs = seed % 3 == 0,
            Terms = new RequestTerms { Client = $"{terms.Item1}", Priority = terms.Item2 },
        });

    private static readonly Gen<(int BlockSize, int Blocks, int Step, int Running, int Rows)> Shape = Gen.Select(
        Gen.Int[1, 9], Gen.Int[70, 200], Gen.Int[1, 40], Gen.Int[1, 8], Gen.Int[1, 40],
        (size, positions, step, running, rows) => (size, (positions + size - 1) / size, step, running, rows));

    [Fact]
    public async Task Tokens_are_those_of_the_request_alone_in_any_batch_chunking_and_preemption()
    {
        var preemptions = 0L;
        await Gen.Select(Request.Array[1, 12], Shape).SampleAsync(async (requests, shape) =>
        {
            var pipeline = new HashPipeline(Vocab, shape.BlockSize, shape.Blocks, shape.Step, context: 70);
            var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = shape.Running, MaxLogitRows = shape.Rows, ChunkTokens = shape.Rows, GrowthReserve = shape.Rows % 2 }, TimeProvider.System);
            var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
            for (var i = 0; i < requests.Length; i++)
            {
                var (tokens, finish) = ReferenceGeneration.Run(pipeline, requests[i], scheduler.ContextLength);
                Assert.Equal(tokens, results[i].Tokens);
                Assert.Equal(finish, results[i].Last.Finish);
            }

            var stats = scheduler.Stats;
            Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
            Assert.Equal(requests.Length, stats.Completed);
            Interlocked.Add(ref preemptions, stats.Preemptions);
            await scheduler.DisposeAsync();
        }, iter: 150, threads: 2);
        Assert.True(preemptions > 0, "The shapes were to be tight enough for preemption.");
    }

    [Fact]
    public async Task Prompt_log_probabilities_and_scores_are_exact_in_any_chunking() =>
        await Gen.Select(Gen.Int[0, Vocab - 1].Array[2, 60], Gen.Int[1, 59], Shape).SampleAsync(async (tokens, cut, shape) =>
        {
            cut = Math.Min(cut, tokens.Length - 1);
            var pipeline = new HashPipeline(Vocab, shape.BlockSize, shape.Blocks, shape.Step, context: 70);
            await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxLogitRows = shape.Rows }, TimeProvider.System);
            var score = scheduler.ScoreAsync(tokens[..cut], tokens[cut..], 3);
            var echo = ReferenceGeneration.Collect(scheduler.GenerateAsync(new GenerationRequest
            {
                Prompt = tokens,
                EchoPromptLogProbs = true,
                Sampling = new SamplingOptions { MaxTokens = 0, LogProbs = true, TopLogProbs = 3 },
            }));
            var prompt = (await echo).Last.Prompt!;
            Assert.Equal((FinishKind.Length, 0), ((await echo).Last.Finish, (await echo).Tokens.Count));
            Assert.Equal(tokens, prompt.Select(p => p.TokenId));
            Assert.Null(prompt[0].LogProb);
            var greedy = true;
            for (var i = 1; i < tokens.Length; i++)
            {
                var logits = pipeline.Reference(tokens.AsSpan(0, i));
                var normalizer = LogProbabilities.LogSumExp(logits);
                Assert.Equal(LogProbabilities.Of(logits[tokens[i]], normalizer), prompt[i].LogProb);
                Assert.Equal(LogProbabilities.Top(logits, normalizer, 3), prompt[i].Top);
                if (i < cut)
                    continue;
                var scored = (await score).Tokens[i - cut];
                Assert.Equal((tokens[i], prompt[i].LogProb), (scored.TokenId, scored.LogProb));
                Assert.Equal(prompt[i].Top, scored.Top);
                greedy &= LogProbabilities.ArgMax(logits) == tokens[i];
            }

            Assert.Equal(greedy, (await score).IsGreedy);
            Assert.Equal((await score).Tokens.Sum(t => (double)t.LogProb!), (await score).SumLogProb, 1e-12);
        }, iter: 100, threads: 2);

    [Fact]
    public async Task A_thousand_requests_given_up_at_random_leave_no_block_behind()
    {
        var pipeline = new HashPipeline(Vocab, 4, 60, 24, context: 120);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = 12, MaxWaiting = 2000, MaxDemand = 1000, EventBuffer = 4 }, TimeProvider.System);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 1000).Select(GiveUp));
        await Settle(() => scheduler.Stats is { Running: 0, Waiting: 0 });
        var stats = scheduler.Stats;
        Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
        Assert.Equal(1000, stats.Completed + stats.Cancelled);
        Assert.True(stats.Cancelled > 300, $"{stats.Cancelled} cancelled");
        Assert.Equal(0, stats.Failed);
        Assert.Equal(1000, outcomes.Length);

        // And it still works.
        var request = new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 100, Seed = 5 } };
        Assert.Equal(ReferenceGeneration.Run(pipeline, request, 120).Tokens, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, TestContext.Current.CancellationToken))).Tokens);

        async Task<int> GiveUp(int index)
        {
            var random = new Random(index);
            var prompt = Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(Vocab)).ToArray();
            using var cancel = new CancellationTokenSource();
            var quit = random.Next(0, 45);
            var seen = 0;
            try
            {
                if (index % 10 == 0)
                {
                    var score = scheduler.ScoreAsync(prompt, [1, 2], 0, cancel.Token);
                    await cancel.CancelAsync();
                    await score;
                }

                await foreach (var item in scheduler.GenerateAsync(
                    new GenerationRequest { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = 40, Seed = (ulong)index } }, cancel.Token))
                {
                    if (++seen >= quit)
                    {
                        if (index % 2 == 0)
                            break;
                        await cancel.CancelAsync();
                    }
                }
            }
            catch (OperationCanceledException)
            {
            }

            return seen;
        }
    }

    /// <summary>Waits for a condition that only the scheduler's thread can bring about.</summary>
    internal static async Task Settle(Func<bool> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60), "The condition did not come true.");
            await Task.Yield();
        }
    }
}
