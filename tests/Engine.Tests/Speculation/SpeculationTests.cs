using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Tests.Scheduling;

namespace Slm.Engine.Tests.Speculation;

public sealed class SpeculationTests
{
    /// <summary>Few tokens, so that proposals are right by chance.</summary>
    private const int Vocab = 4;

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Gen.Int[0, Vocab - 1].Array[1, 30], Gen.Int[1, 40], Gen.ULong,
        Gen.OneOf(Gen.Const(0f), Gen.Const(0.3f), Gen.Const(1f)), Gen.Int[0, 3], Gen.Bool,
        (prompt, max, seed, temperature, topK, penalties) => new GenerationRequest
        {
            // Right by chance as well, and now and then in step.
            Draft = seed % 7 < 3 ? [.. Enumerable.Range(0, (int)(seed % 50)).Select(i => (int)((seed >> (i % 31)) % Vocab))] : [],
            Prompt = prompt,
            EndTokens = new HashSet<int>(seed % 3 == 0 ? [3] : []),
            Speculation = (seed % 5) switch { 0 => SpeculationKind.None, 1 or 2 => SpeculationKind.Draft, _ => null },
            Sampling = new SamplingOptions
            {
                MaxTokens = max,
                Seed = seed,
                Temperature = temperature,
                TopK = topK,
                RepetitionPenalty = penalties ? 1.2f : 1,
                FrequencyPenalty = penalties ? 0.3f : 0,
                LogitBias = penalties ? new Dictionary<int, float> { [1] = 0.5f } : new Dictionary<int, float>(),
                LogProbs = seed % 2 == 0,
            },
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_are_those_without_speculation_in_any_batch_chunking_and_preemption()
    {
        long drafted = 0, accepted = 0, preemptions = 0;
        await Gen.Select(Request.Array[1, 10], Gen.Int[1, 7], Gen.Int[72, 150], Gen.Int[1, 40], Gen.Int[2, 9], Gen.Int[0, 5]).SampleAsync(
            async (requests, blockSize, positions, step, size, noise) =>
            {
                var pipeline = new HashPipeline(Vocab, blockSize, (positions + blockSize - 1) / blockSize, step, context: 70);
                var draft = new HashPipeline(Vocab, 3, 40, 25, context: 60, salt: noise == 0 ? 2UL : 1UL);
                var options = new SchedulerOptions
                {
                    MaxRunning = size,
                    EventBuffer = size,
                    GrowthReserve = 0,
                    DraftTokens = size,
                    Speculation = SpeculationKind.NGram,
                };
                await using var scheduler = new Scheduler(pipeline, options, TimeProvider.System, draft);
                var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
                for (var i = 0; i < requests.Length; i++)
                {
                    var (tokens, finish) = ReferenceGeneration.Run(pipeline, requests[i], scheduler.ContextLength);
                    Assert.Equal(tokens, results[i].Tokens);
                    Assert.Equal(finish, results[i].Last.Finish);
                }

                var stats = scheduler.Stats;
                Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
                Assert.Equal(stats.DraftedTokens, results.Sum(r => r.Last.Timings.DraftedTokens));
                Assert.Equal(stats.AcceptedTokens, results.Sum(r => r.Last.Timings.AcceptedTokens));
                Interlocked.Add(ref drafted, stats.DraftedTokens);
                Interlocked.Add(ref accepted, stats.AcceptedTokens);
                Interlocked.Add(ref preemptions, stats.Preemptions);
            },
            iter: 200, threads: 2);
        Assert.True(accepted > 200 && drafted > accepted && preemptions > 0, $"{accepted} of {drafted} accepted, {preemptions} preemptions");
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public async Task A_draft_model_that_is_the_model_is_always_right(float temperature)
    {
        var pipeline = new HashPipeline(maxStepTokens: 64);
        await using var scheduler = new Scheduler(
            pipeline, new SchedulerOptions { Speculation = SpeculationKind.Draft, DraftTokens = 4, EventBuffer = 256 }, TimeProvider.System, new HashPipeline(blockSize: 3, maxStepTokens: 10));
        var request = new GenerationRequest { Prompt = [.. Enumerable.Range(0, 40)], Sampling = new SamplingOptions { MaxTokens = 61, Seed = 3, Temperature = temperature } };
        var (tokens, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        Assert.Equal(ReferenceGeneration.Run(pipeline, request, 200).Tokens, tokens);
        Assert.Equal(1, scheduler.Stats.AcceptanceRate);
        Assert.True(last.Timings.DraftedTokens > 40, $"{last.Timings.DraftedTokens} drafted");

        // The draft model reads the prompt in chunks of ten; from then on five tokens a step.
        Assert.InRange(scheduler.Stats.Steps, 13, 20);
    }

    [Fact]
    public async Task Text_that_repeats_itself_takes_few_steps()
    {
        var pipeline = Counting();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { Speculation = SpeculationKind.NGram, EventBuffer = 256 }, TimeProvider.System);
        var request = new GenerationRequest { Prompt = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0], Sampling = new SamplingOptions { MaxTokens = 120, Temperature = 0 } };
        var (tokens, _) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        Assert.Equal(Enumerable.Range(1, 120).Select(i => i % 10), tokens);
        Assert.InRange(scheduler.Stats.Steps, 14, 20);

        // The same without speculation, and an end in the middle of a proposal.
        var plain = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request with { Speculation = SpeculationKind.None }, Token));
        Assert.Equal(tokens, plain.Tokens);
        Assert.Equal(0, plain.Last.Timings.DraftedTokens);
        var ended = await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            request with { Prompt = [.. request.Prompt, .. tokens[..40]], EndTokens = new HashSet<int> { 9 } }, Token));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], ended.Tokens);
        Assert.Equal(FinishKind.Stop, ended.Last.Finish);
    }

    [Fact]
    public async Task Proposals_never_keep_a_prompt_out_of_the_step()
    {
        var pipeline = Counting(maxStepTokens: 10);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { Speculation = SpeculationKind.NGram, PrefixSharing = false }, TimeProvider.System);
        Task? late = null;
        var prompts = new List<int>();
        var inner = pipeline.OnStep;
        pipeline.OnStep = batch =>
        {
            if (late is not null && !late.IsCompleted && batch.Items.Length > 1 && batch.Items[1].StartPosition < 30)
                prompts.Add(batch.Items[1].Count);
            if (scheduler.Stats.Steps == 8)
                late = ReferenceGeneration.Collect(scheduler.GenerateAsync(new GenerationRequest { Prompt = new int[30], Sampling = new SamplingOptions { MaxTokens = 1 } }, Token));
        };
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            new GenerationRequest { Prompt = [.. Enumerable.Range(0, 20).Select(i => i % 10)], Sampling = new SamplingOptions { MaxTokens = 150, Temperature = 0 } }, Token));
        await late!;
        Assert.Equal(30, prompts.Sum());
        Assert.All(prompts.SkipLast(1), count => Assert.InRange(count, 5, 9));
    }

    [Theory]
    [InlineData(SpeculationKind.NGram, 1)]
    [InlineData(SpeculationKind.Draft, 2)]
    public async Task Sampled_answers_have_the_distribution_of_the_model(SpeculationKind kind, int salt)
    {
        // All 64 answers of three tokens, against their exact probabilities: chi-square with 63 degrees of freedom, whose
        // 99.99 % quantile is 112. The seeds are fixed, so this is no game of chance.
        const int Samples = 30_000;
        int[] prompt = [1, 2, 3, 0, 2, 1, 1, 2, 3, 0, 1, 2, 3, 0];
        var pipeline = new HashPipeline(Vocab, blockCount: 400);
        var draft = new HashPipeline(Vocab, blockCount: 400, salt: (ulong)salt);
        await using var scheduler = new Scheduler(
            pipeline, new SchedulerOptions { Speculation = kind, MaxWaiting = Samples, MaxDemand = 1e6 }, TimeProvider.System, draft);
        var counts = new int[64];
        await Parallel.ForAsync(0, Samples, new ParallelOptions { MaxDegreeOfParallelism = 30, CancellationToken = Token }, async (seed, token) =>
        {
            var (tokens, _) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(
                new GenerationRequest { Prompt = prompt, Sampling = new SamplingOptions { MaxTokens = 3, Seed = (ulong)seed, Temperature = 2 } }, token));
            Interlocked.Increment(ref counts[(tokens[0] * 16) + (tokens[1] * 4) + tokens[2]]);
        });
        double chiSquare = 0, sum = 0;
        for (var outcome = 0; outcome < 64; outcome++)
        {
            int[] tokens = [outcome / 16, outcome / 4 % 4, outcome % 4];
            var probability = 1.0;
            for (var i = 0; i < 3; i++)
                probability *= Softmax(pipeline.Reference([.. prompt, .. tokens[..i]]), 2)[tokens[i]];
            sum += probability;
            chiSquare += Math.Pow(counts[outcome] - (Samples * probability), 2) / (Samples * probability);
        }

        Assert.Equal(1, sum, 1e-9);
        Assert.InRange(chiSquare, 20, 112);
        Assert.InRange(scheduler.Stats.AcceptanceRate, 0.1, 0.9);
    }

    [Theory]
    [InlineData("llama-q4_0")]
    [InlineData("qwen3-f32")]
    public async Task A_models_log_probabilities_are_the_same_bits_with_and_without_speculation(string name)
    {
        using var file = ModelFile.Open(ReferenceModels.Path(name));
        async Task<(List<float?> Values, double Accepted)> RunAsync(SpeculationKind kind)
        {
            await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1 });
            await using var draft = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1, Stages = 2 });
            await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { Speculation = kind }, TimeProvider.System, draft);
            var values = new List<float?>();
            await foreach (var item in scheduler.GenerateAsync(
                new GenerationRequest
                {
                    Prompt = [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4],
                    Sampling = new SamplingOptions { MaxTokens = 60, Seed = 4, LogProbs = true, TopLogProbs = 3, LogitBias = new Dictionary<int, float> { [5] = 12, [6] = 12 } },
                },
                Token))
            {
                values.Add(item.Token!.TokenId);
                values.Add(item.Token.LogProb);
                values.AddRange(item.Token.Top.Select(t => (float?)t.LogProb));
            }

            return (values, scheduler.Stats.AcceptanceRate);
        }

        var plain = await RunAsync(SpeculationKind.None);
        var ngram = await RunAsync(SpeculationKind.NGram);
        var drafted = await RunAsync(SpeculationKind.Draft);
        Assert.Equal(plain.Values, ngram.Values);
        Assert.Equal(plain.Values, drafted.Values);
        Assert.Equal((0, 1), (plain.Accepted, drafted.Accepted));
        Assert.InRange(ngram.Accepted, 0.05, 1);
    }

    [Fact]
    public async Task A_draft_model_that_does_not_fit_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System, new HashPipeline(49)));
        Assert.Contains("49", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new Scheduler(new HashPipeline(), new SchedulerOptions { Speculation = SpeculationKind.Draft }, TimeProvider.System));
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        var request = new GenerationRequest { Prompt = [1], Speculation = SpeculationKind.Draft };
        Assert.Equal("speculation", Assert.Throws<SamplingOptionException>(() => scheduler.GenerateAsync(request, Token)).Field);
    }

    /// <summary>A pipeline whose most probable next token is the last one plus one, modulo ten.</summary>
    private static HashPipeline Counting(int maxStepTokens = 32)
    {
        var pipeline = new HashPipeline(maxStepTokens: maxStepTokens);
        pipeline.OnRows = (batch, rows) =>
        {
            for (var r = 0; r < batch.OutputRows.Length; r++)
                rows[(r * 50) + ((batch.Tokens[batch.OutputRows[r]] + 1) % 10)] = 30;
        };
        return pipeline;
    }

    private static double[] Softmax(float[] logits, double temperature)
    {
        var weights = logits.Select(l => Math.Exp(l / temperature)).ToArray();
        return [.. weights.Select(w => w / weights.Sum())];
    }
}
