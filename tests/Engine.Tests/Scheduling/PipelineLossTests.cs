using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>Pipelines that take several steps at a time, end them late, and lose some of them with or without all state: nothing of an answer changes.</summary>
public sealed class PipelineLossTests
{
    /// <summary>Few tokens, so that proposals are right by chance.</summary>
    private const int Vocab = 5;

    private static readonly int[][] Stems = [[1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 1], [1, 2, 3, 4, 2], [], []];

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Gen.Int[0, 3].Select(i => Stems[i]), Gen.Int[0, Vocab - 1].Array[1, 20], Gen.Int[1, 30], Gen.ULong,
        Gen.OneOf(Gen.Const(0f), Gen.Const(0.7f), Gen.Const(1f)), Gen.Bool, Gen.Select(Gen.Int[0, 2], Gen.Int[-1, 1]),
        (stem, rest, max, seed, temperature, penalties, terms) => new GenerationRequest
        {
            Prompt = [.. stem, .. rest],
            EndTokens = new HashSet<int>(seed % 3 == 0 ? [3] : []),
            EchoPromptLogProbs = seed % 4 == 0,
            Speculation = (seed % 5) switch { 0 => SpeculationKind.NGram, 1 => SpeculationKind.Draft, _ => SpeculationKind.None },
            Sampling = new SamplingOptions
            {
                MaxTokens = max,
                Temperature = temperature,
                Seed = seed,
                RepetitionPenalty = penalties ? 1.3f : 1,
                FrequencyPenalty = penalties ? 0.3f : 0,
                PresencePenalty = penalties ? 0.2f : 0,
                LogProbs = seed % 2 == 0,
                TopLogProbs = seed % 2 == 0 ? 2 : 0,
            },
            Terms = new RequestTerms { Client = $"{terms.Item1}", Priority = terms.Item2 },
        });

    private static readonly Gen<Shape> Shapes = Gen.Select(
        Gen.Int[1, 9], Gen.Int[70, 200], Gen.Int[24, 40], Gen.Int[1, 8], Gen.Int[1, 40], Gen.Int,
        (size, positions, step, running, rows, seed) => new Shape(size, (positions + size - 1) / size, step, running, rows, seed));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public enum Model
    {
        Decoder,
        Recurrent,
        EncoderDecoder,
    }

    /// <summary>Depth 0: one step at a time, ended when the call returns.</summary>
    [Theory]
    [InlineData(Model.Decoder, 0)]
    [InlineData(Model.Decoder, 1)]
    [InlineData(Model.Decoder, 2)]
    [InlineData(Model.Decoder, 4)]
    [InlineData(Model.Recurrent, 0)]
    [InlineData(Model.Recurrent, 2)]
    [InlineData(Model.Recurrent, 4)]
    [InlineData(Model.EncoderDecoder, 0)]
    [InlineData(Model.EncoderDecoder, 2)]
    [InlineData(Model.EncoderDecoder, 4)]
    public async Task Answers_scores_and_embeddings_are_those_of_an_undisturbed_run(Model model, int depth)
    {
        var seen = new Totals();
        await Gen.Select(Request.Array[1, 12], Shapes).SampleAsync(async (requests, shape) =>
        {
            if (model == Model.EncoderDecoder)
                requests = [.. requests.Select(r => r with { EncoderInput = r.Prompt[..Math.Min(24, r.Prompt.Length)], Prompt = [3, .. r.Prompt[..(r.Prompt.Length % 6)]], Speculation = r.Speculation == SpeculationKind.Draft ? null : r.Speculation })];
            else if (model == Model.Recurrent)
                requests = [.. requests.Select(r => r with { Speculation = null })];
            var pipeline = new FragilePipeline(() => Create(model, shape), shape.Seed, depth) { FaultRate = shape.Seed % 3 == 0 ? 0 : 0.15 };
            var draft = model == Model.Decoder ? new HashPipeline(Vocab, 3, 40, 25, context: 60) : null;
            var scheduler = new Scheduler(pipeline, Options(shape), TimeProvider.System, draft);
            var reference = new Scheduler(Create(model, shape), Options(shape) with { PrefixSharing = true }, TimeProvider.System, draft is null ? null : new HashPipeline(Vocab, 3, 40, 25, context: 60));
            var score = scheduler.ScoreAsync([1, 2, 3], [4, 0, 1, 2, 3, 4, 1, 2, 0, 3, 4, 2], model == Model.EncoderDecoder ? [1, 2] : null, 1, RequestTerms.Default, null, Token);
            var embeddings = model == Model.EncoderDecoder ? [] : Enum.GetValues<PoolingKind>().Select(kind => scheduler.EmbedAsync([.. Stems[0], 2, 4, 1], kind)).ToArray();
            var results = await Task.WhenAll(requests.Select(r => Events(scheduler.GenerateAsync(r))));
            for (var i = 0; i < requests.Length; i++)
            {
                var (alone, _) = ReferenceGeneration.Run(Create(model, shape), requests[i], scheduler.ContextLength);
                Assert.Equal(alone, [.. results[i].Where(e => e.Token is not null).Select(e => e.Token!.TokenId)]);
                Equal(await Events(reference.GenerateAsync(requests[i])), results[i]);
            }

            var expected = await reference.ScoreAsync([1, 2, 3], [4, 0, 1, 2, 3, 4, 1, 2, 0, 3, 4, 2], model == Model.EncoderDecoder ? [1, 2] : null, 1, RequestTerms.Default, null, Token);
            Assert.Equal((expected.SumLogProb, expected.IsGreedy), ((await score).SumLogProb, (await score).IsGreedy));
            for (var i = 0; i < embeddings.Length; i++)
                Assert.Equal(await reference.EmbedAsync([.. Stems[0], 2, 4, 1], (PoolingKind)i, Token), await embeddings[i]);
            seen.Add(scheduler, pipeline);
            RequireNothingHeld(scheduler);
            Assert.Equal(pipeline.Recoveries, scheduler.Stats.Recoveries);
            Assert.Equal(0, scheduler.Stats.Failed);
            await scheduler.DisposeAsync();
            await reference.DisposeAsync();
            await pipeline.DisposeAsync();
        }, iter: 300, threads: 2);
        seen.RequireFaults(depth);
        if (model == Model.Decoder)
            Assert.True(seen.Accepted > 50 && seen.Preemptions > 0, $"{seen.Accepted} accepted, {seen.Preemptions} preemptions");
    }

    /// <summary>One prompt keeps all stages at work: its chunks follow each other through the pipeline, except where state is copied between steps.</summary>
    [Theory]
    [InlineData(Model.Decoder, 4)]
    [InlineData(Model.Recurrent, 1)]
    [InlineData(Model.EncoderDecoder, 1)]
    public async Task Chunks_of_one_prompt_are_in_flight_together(Model model, int most)
    {
        var shape = new Shape(4, 40, 6, 8, 24, 9);
        await using var pipeline = new FragilePipeline(() => Create(model, shape), 1, 4);
        await using var scheduler = new Scheduler(pipeline, Options(shape) with { PrefixSharing = false }, TimeProvider.System);
        var request = new GenerationRequest
        {
            Prompt = [.. Enumerable.Range(0, model == Model.EncoderDecoder ? 5 : 40).Select(i => i * i % Vocab)],
            EncoderInput = model == Model.EncoderDecoder ? [1, 2, 3] : null,
            Sampling = new SamplingOptions { MaxTokens = 10, Seed = 3 },
        };
        var (expected, _) = ReferenceGeneration.Run(Create(model, shape), request, scheduler.ContextLength);
        Assert.Equal(expected, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token))).Tokens);
        Assert.Equal(most, pipeline.MostInFlight);
    }

    /// <summary>Whatever is received is a beginning of the undisturbed answer, and nothing is left behind.</summary>
    [Theory]
    [InlineData(Model.Decoder, 1)]
    [InlineData(Model.Decoder, 4)]
    [InlineData(Model.Recurrent, 2)]
    [InlineData(Model.EncoderDecoder, 2)]
    public async Task Requests_given_up_and_expired_amid_losses_leave_nothing_behind(Model model, int depth)
    {
        var shape = new Shape(4, 40, 24, 8, 24, 9);
        await using var pipeline = new FragilePipeline(() => Create(model, shape), 11, depth) { FaultRate = 0.1 };
        var options = Options(shape) with { MaxWaiting = 2000, MaxDemand = 1000, EventBuffer = 4 };
        await using var scheduler = new Scheduler(pipeline, options, TimeProvider.System);
        await using var reference = new Scheduler(Create(model, shape), options, TimeProvider.System);
        var expired = 0;
        await Task.WhenAll(Enumerable.Range(0, 600).Select(GiveUp));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats is { Running: 0, Waiting: 0 });
        RequireNothingHeld(scheduler);
        var stats = scheduler.Stats;
        Assert.Equal(600, stats.Completed + stats.Cancelled + stats.Expired);
        Assert.True(stats.Cancelled > 100 && stats.Expired == expired && stats.Recoveries > 20, stats.ToString());

        async Task GiveUp(int index)
        {
            var random = new Random(index);
            var request = new GenerationRequest
            {
                Prompt = [.. Stems[index % 4], .. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(Vocab))],
                EncoderInput = model == Model.EncoderDecoder ? [1, 2, random.Next(Vocab)] : null,
                Speculation = SpeculationKind.NGram,
                Sampling = new SamplingOptions { MaxTokens = 30, Seed = (ulong)index },
            };
            var quit = random.Next(0, 40);
            var answer = new List<int>();
            using var cancel = new CancellationTokenSource();
            var hurried = index % 7 == 0 ? request with { Terms = new RequestTerms { Timeout = TimeSpan.FromMilliseconds(random.Next(1, 300)) } } : request;
            try
            {
                await foreach (var item in scheduler.GenerateAsync(hurried, cancel.Token))
                {
                    answer.Add(item.Token!.TokenId);
                    if (answer.Count < quit)
                        continue;
                    if (index % 2 == 0)
                        break;
                    await cancel.CancelAsync();
                }
            }
            catch (OperationCanceledException)
            {
            }
            catch (DeadlineExceededException)
            {
                Interlocked.Increment(ref expired);
            }

            var (whole, _) = await ReferenceGeneration.Collect(reference.GenerateAsync(request));
            Assert.Equal(whole[..answer.Count], answer);
        }
    }

    [Fact]
    public async Task Requests_come_go_and_expire_while_the_pipeline_is_made_whole()
    {
        var time = new ManualTime();
        using var gate = new SemaphoreSlim(0);
        var shape = new Shape(4, 40, 24, 8, 24, 9);
        await using var pipeline = new FragilePipeline(() => Create(Model.Decoder, shape), 1, 2) { LosesState = true, OnRecover = gate.WaitAsync };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), time);
        var stays = Plain(20, 1);
        var late = Plain(20, 2) with { Terms = new RequestTerms { Timeout = TimeSpan.FromSeconds(5) } };
        pipeline.Faults = 1;
        using var cancel = new CancellationTokenSource();
        var one = ReferenceGeneration.Collect(scheduler.GenerateAsync(stays, Token));
        var two = ReferenceGeneration.Collect(scheduler.GenerateAsync(late, Token));
        var three = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, 3), cancel.Token));
        await SchedulerPropertyTests.Settle(() => pipeline.Faults == 0);

        // The loss is known when nothing moves: everybody waits for the gate.
        var four = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(5, 4), Token));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => three);
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.Cancelled == 1);
        time.Advance(TimeSpan.FromSeconds(6));
        await Assert.ThrowsAsync<DeadlineExceededException>(() => two);
        await SchedulerPropertyTests.Settle(() => scheduler.Stats is var now && now.Running + now.Waiting == 2);
        Assert.False(one.IsCompleted || four.IsCompleted);
        gate.Release(10);
        var reference = new HashPipeline(Vocab);
        Assert.Equal(ReferenceGeneration.Run(reference, stays, 70).Tokens, (await one).Tokens);
        Assert.Equal(ReferenceGeneration.Run(reference, Plain(5, 4), 70).Tokens, (await four).Tokens);
        var stats = scheduler.Stats;
        Assert.Equal((1, 1, 1, 2, 0), (stats.Recoveries, stats.Cancelled, stats.Expired, stats.Completed, stats.Failed));
        RequireNothingHeld(scheduler);
    }

    [Fact]
    public async Task A_deadline_is_kept_while_a_step_hangs()
    {
        var time = new ManualTime();
        using var gate = new SemaphoreSlim(0);
        var pipeline = new HashPipeline(gate: gate);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), time);
        var request = Plain(5, 1) with { Terms = new RequestTerms { Timeout = TimeSpan.FromSeconds(5) } };
        var running = ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
        await SchedulerPropertyTests.Settle(() => scheduler.Stats.Running == 1);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.True((await Assert.ThrowsAsync<DeadlineExceededException>(() => running)).Started);

        // Its blocks are the step's until that has ended.
        Assert.Equal((1, 0L), (scheduler.Stats.Running, scheduler.Stats.Expired));
        gate.Release(20);
        Assert.Equal(5, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(5, 1), Token))).Tokens.Count);
        Assert.Equal((0, 0, 1L, 1L), (scheduler.Stats.Running, scheduler.Stats.KvBlocksUsed, scheduler.Stats.Expired, scheduler.Stats.Completed));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pipeline_that_stays_broken_ends_its_requests_with_a_delay_and_later_ones_try_again(bool saysWhen)
    {
        var shape = new Shape(4, 40, 24, 8, 24, 9);
        await using var pipeline = new FragilePipeline(() => Create(Model.Decoder, shape), 1, 2) { LosesState = true, Faults = 1 };
        pipeline.OnRecover = _ => throw (saysWhen ? new PipelineUnavailableException("no silo has room", TimeSpan.FromSeconds(7)) : new IOException("no silo has room"));
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var answers = Enumerable.Range(0, 5).Select(i => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, (ulong)i), Token))).ToArray();
        foreach (var answer in answers)
        {
            var error = await Assert.ThrowsAsync<PipelineUnavailableException>(() => answer);
            Assert.Contains("no silo has room", error.Message, StringComparison.Ordinal);
            Assert.InRange(error.RetryAfter.TotalSeconds, saysWhen ? 7 : 1, saysWhen ? 7 : 60);
        }

        RequireNothingHeld(scheduler);
        Assert.Equal((5L, 0L), (scheduler.Stats.Failed, scheduler.Stats.Recoveries));
        pipeline.OnRecover = null;
        Assert.Equal(ReferenceGeneration.Run(new HashPipeline(Vocab), Plain(20, 9), 70).Tokens, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, 9), Token))).Tokens);
        Assert.Equal(1, scheduler.Stats.Recoveries);
    }

    [Fact]
    public async Task A_pipeline_that_loses_every_step_is_given_up()
    {
        var shape = new Shape(4, 40, 24, 8, 24, 9);
        await using var pipeline = new FragilePipeline(() => Create(Model.Decoder, shape), 1, 1) { FaultRate = 1 };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        await Assert.ThrowsAsync<PipelineUnavailableException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, 1), Token)));
        Assert.Equal(16, pipeline.Recoveries);
        RequireNothingHeld(scheduler);
    }

    [Fact]
    public async Task A_pipeline_that_knows_no_recovery_ends_its_requests()
    {
        var pipeline = new HashPipeline { OnStep = _ => throw new PipelineLostException("the silo is gone") };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var error = await Assert.ThrowsAsync<PipelineUnavailableException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, 1), Token)));
        Assert.Contains("the silo is gone", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disposal_ends_a_recovery_that_nobody_waits_for()
    {
        var shape = new Shape(4, 40, 24, 8, 24, 9);
        var recovering = new TaskCompletionSource();
        await using var pipeline = new FragilePipeline(() => Create(Model.Decoder, shape), 1, 2) { Faults = 1 };
        pipeline.OnRecover = async token =>
        {
            recovering.SetResult();
            await Task.Delay(Timeout.Infinite, token);
        };
        var scheduler = new Scheduler(pipeline, new SchedulerOptions { DrainTimeout = TimeSpan.FromHours(1) }, TimeProvider.System);
        using var cancel = new CancellationTokenSource();
        var answer = ReferenceGeneration.Collect(scheduler.GenerateAsync(Plain(20, 1), cancel.Token));
        await recovering.Task;
        await cancel.CancelAsync();
        await scheduler.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
    }

    [Fact]
    public async Task Decoding_sequences_are_spread_over_the_steps_in_flight()
    {
        var shape = new Shape(4, 100, 40, 16, 40, 9);
        var sizes = new List<int>();
        await using var pipeline = new FragilePipeline(
            () => new HashPipeline(50, 4, 100, 40, context: 200) { OnStep = batch => sizes.Add(batch.Items.Length) }, 1, 4);
        await using var scheduler = new Scheduler(pipeline, Options(shape) with { Speculation = SpeculationKind.None }, TimeProvider.System);
        var requests = Enumerable.Range(0, 8).Select(i => new GenerationRequest { Prompt = [i, 1], Sampling = new SamplingOptions { MaxTokens = 41, Seed = (ulong)i } }).ToArray();
        var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
        for (var i = 0; i < requests.Length; i++)
            Assert.Equal(ReferenceGeneration.Run(new HashPipeline(50), requests[i], 200).Tokens, results[i].Tokens);
        Assert.Equal(4, pipeline.MostInFlight);

        // 8 × 41 tokens, two of each step, but for the prompts and the end.
        Assert.True(sizes.Count(size => size == 2) > 130, string.Join(' ', sizes));
    }

    private static Task<List<GenerationEvent>> Events(IAsyncEnumerable<GenerationEvent> events) => Task.Run(async () =>
    {
        var all = new List<GenerationEvent>();
        await foreach (var item in events)
            all.Add(item);
        return all;
    });

    private static void Equal(List<GenerationEvent> expected, List<GenerationEvent> actual)
    {
        Assert.Equal(expected.Select(e => e.Finish), actual.Select(e => e.Finish));
        Assert.Equal(expected.Select(e => e.Prompt is null), actual.Select(e => e.Prompt is null));
        foreach (var (one, other) in expected.Zip(actual))
        {
            Equal(one.Token, other.Token);
            foreach (var (a, b) in (one.Prompt ?? []).Zip(other.Prompt ?? []))
                Equal(a, b);
        }

        static void Equal(TokenResult? one, TokenResult? other)
        {
            Assert.Equal((one?.TokenId, one?.LogProb), (other?.TokenId, other?.LogProb));
            Assert.Equal(one?.Top ?? [], other?.Top ?? []);
        }
    }

    internal static void RequireNothingHeld(Scheduler scheduler)
    {
        var stats = scheduler.Stats;
        Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
        var (states, kept, draft) = scheduler.Held;
        Assert.Equal((kept, 0), (states, draft));
    }

    private static HashPipeline Create(Model model, Shape shape) => new(
        Vocab, shape.BlockSize, shape.Blocks, shape.Step, context: model == Model.EncoderDecoder ? 36 : 70,
        stateSlots: model == Model.Recurrent ? 2 + (shape.Running % 5) : 0, encoder: model == Model.EncoderDecoder);

    private static SchedulerOptions Options(Shape shape) => new()
    {
        MaxRunning = shape.Running,
        MaxLogitRows = shape.Rows,
        ChunkTokens = shape.Rows,
        GrowthReserve = shape.Rows % 2,
        PrefixSharing = shape.Seed % 4 != 0,
        DraftTokens = 4,
    };

    private static GenerationRequest Plain(int maxTokens, ulong seed) =>
        new() { Prompt = [1, 2, 3, 4, 2, 1], Sampling = new SamplingOptions { MaxTokens = maxTokens, Seed = seed } };

    public sealed record Shape(int BlockSize, int Blocks, int Step, int Running, int Rows, int Seed);

    private sealed class Totals
    {
        private int _most;
        private long _recoveries, _statesLost, _preemptions, _accepted;

        public long Preemptions => _preemptions;

        public long Accepted => _accepted;

        public void Add(Scheduler scheduler, FragilePipeline pipeline)
        {
            lock (this)
            {
                _most = Math.Max(_most, pipeline.MostInFlight);
                _recoveries += pipeline.Recoveries;
                _statesLost += pipeline.StatesLost;
                _preemptions += scheduler.Stats.Preemptions;
                _accepted += scheduler.Stats.AcceptedTokens;
            }
        }

        public void RequireFaults(int depth)
        {
            Assert.Equal(Math.Max(1, depth), _most);
            Assert.True(_statesLost > 50 && _recoveries - _statesLost > 50, $"{_recoveries} recoveries, {_statesLost} with state lost");
        }
    }
}
