using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>Models that read a text as a whole: encoder-decoders, and encoders.</summary>
public sealed class EncoderSchedulingTests
{
    private const int Vocab = 50;

    // Few different inputs, so that they are shared.
    private static readonly Gen<int[]> Input = Gen.Select(Gen.Int[0, 3], Gen.Int[1, 24], (kind, count) => Enumerable.Range(0, count).Select(i => ((kind * 7) + (i / 3)) % Vocab).ToArray());

    private static readonly Gen<GenerationRequest> Request = Gen.Select(
        Input, Gen.Int[0, 1].Array[0, 12], Gen.Int[1, 25], Gen.ULong, Gen.Select(Gen.Int[0, 2], Gen.Int[-1, 1], Gen.Bool),
        (input, prompt, max, seed, terms) => new GenerationRequest
        {
            EncoderInput = input,
            Prompt = [3, .. prompt],
            EndTokens = new HashSet<int> { 7 },
            Sampling = new SamplingOptions { MaxTokens = max, Temperature = seed % 2, Seed = seed, LogProbs = terms.Item3 },
            EchoPromptLogProbs = terms.Item3,
            Speculation = seed % 3 == 0 ? SpeculationKind.NGram : SpeculationKind.None,
            Terms = new RequestTerms { Client = $"{terms.Item1}", Priority = terms.Item2 },
        });

    [Fact]
    public async Task Answers_are_those_of_the_request_alone_in_any_batch_sharing_and_preemption()
    {
        var (preemptions, reused) = (0L, 0L);
        await Gen.Select(Request.Array[1, 12], Gen.Int[1, 9], Gen.Int[75, 200], Gen.Int[24, 40], Gen.Int[1, 8], Gen.Int[1, 40]).SampleAsync(async (requests, size, positions, step, running, rows) =>
        {
            var pipeline = new HashPipeline(Vocab, size, (positions + size - 1) / size, step, context: 40, encoder: true);
            var scheduler = new Scheduler(
                pipeline, new SchedulerOptions { MaxRunning = running, MaxLogitRows = rows, ChunkTokens = rows, GrowthReserve = rows % 2 }, TimeProvider.System);
            var results = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r))));
            for (var i = 0; i < requests.Length; i++)
            {
                var (tokens, finish) = ReferenceGeneration.Run(pipeline, requests[i], scheduler.ContextLength);
                Assert.Equal(tokens, results[i].Tokens);
                Assert.Equal(finish, results[i].Last.Finish);
            }

            var stats = scheduler.Stats;
            Assert.Equal((0, 0, 0), (stats.Running, stats.Waiting, stats.KvBlocksUsed));
            Interlocked.Add(ref preemptions, stats.Preemptions);
            Interlocked.Add(ref reused, stats.ReusedPromptTokens);
            await scheduler.DisposeAsync();
        }, iter: 200, threads: 2);
        Assert.True(preemptions > 0, "The shapes were to be tight enough for preemption.");
        Assert.True(reused > 0, "Inputs were to be shared.");
    }

    [Fact]
    public async Task An_input_that_is_known_is_not_encoded_again_and_a_longer_one_is()
    {
        var encoded = new List<int[]>();
        var pipeline = new HashPipeline(Vocab, 4, 64, 40, encoder: true) { OnStep = batch => encoded.AddRange(batch.Encodes ? [batch.Tokens.ToArray()] : []) };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        int[] input = [1, 2, 3, 4, 5, 6, 7, 8];
        foreach (var (tokens, scope, steps) in new[] { (input, "", 1), (input, "", 1), (input[..4], "", 2), ([.. input, 9], "", 3), (input, "other", 4), (input, "", 4) })
        {
            var request = new GenerationRequest
            {
                EncoderInput = tokens,
                Prompt = [3],
                Sampling = new SamplingOptions { MaxTokens = 5, Seed = 1 },
                Terms = new RequestTerms { Scope = scope },
            };
            var (answer, last) = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, TestContext.Current.CancellationToken));
            Assert.Equal(ReferenceGeneration.Run(pipeline, request, scheduler.ContextLength).Tokens, answer);
            Assert.Equal(steps, encoded.Count);
            Assert.Equal(tokens, steps == 1 || steps == 4 ? input : encoded[^1]);
            Assert.InRange(last.Timings.ReusedPromptTokens, 0, tokens.Length);
        }
    }

    [Fact]
    public async Task Scores_depend_on_the_input()
    {
        var pipeline = new HashPipeline(Vocab, 4, 64, 40, encoder: true);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var token = TestContext.Current.CancellationToken;
        foreach (var input in new int[][] { [1, 2, 3], [1, 2], [1, 2, 3] })
        {
            var score = await scheduler.ScoreAsync([3], [9, 8, 7], input, 0, RequestTerms.Default, null, token);
            var sum = 0.0;
            for (var i = 0; i < 3; i++)
            {
                var row = pipeline.Reference([3, .. new[] { 9, 8, 7 }[..i]], input);
                sum += LogProbabilities.Of(row[9 - i], LogProbabilities.LogSumExp(row));
            }

            Assert.Equal(sum, score.SumLogProb, 1e-12);
        }
    }

    [Fact]
    public async Task A_failed_encoding_ends_its_request_and_no_other()
    {
        var failing = true;
        var pipeline = new HashPipeline(Vocab, 4, 64, 40, encoder: true)
        {
            OnStep = batch =>
            {
                if (batch.Encodes && batch.Tokens.Contains(13) && failing)
                    throw new InvalidOperationException("out of order");
            },
        };
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        GenerationRequest Request(int first) => new() { EncoderInput = [first, 2], Prompt = [3], Sampling = new SamplingOptions { MaxTokens = 60, Seed = 1 } };

        // The one has begun, so that the step that fails is not its own.
        var one = scheduler.GenerateAsync(Request(1), TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await one.MoveNextAsync());
        var answer = new List<int> { one.Current.Token!.TokenId };
        await Assert.ThrowsAsync<PipelineFailedException>(() => ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(13), TestContext.Current.CancellationToken)));
        failing = false;
        Assert.Equal(ReferenceGeneration.Run(pipeline, Request(13), 200).Tokens, (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(13), TestContext.Current.CancellationToken))).Tokens);
        while (await one.MoveNextAsync())
            answer.Add(one.Current.Token!.TokenId);
        await one.DisposeAsync();
        Assert.Equal(ReferenceGeneration.Run(pipeline, Request(1), 200).Tokens, answer);
    }

    [Fact]
    public async Task What_an_encoder_decoder_cannot_do_is_refused()
    {
        var pipeline = new HashPipeline(Vocab, 4, 16, 20, context: 60, encoder: true);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        var token = TestContext.Current.CancellationToken;
        Assert.Contains("input is empty", Assert.Throws<ArgumentException>(() => scheduler.GenerateAsync(new GenerationRequest { Prompt = [3] }, token)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => scheduler.GenerateAsync(new GenerationRequest { Prompt = [3], EncoderInput = [Vocab] }, token));

        // Of 64 positions 20 are the input's: 44 are left for the decoder.
        Assert.Equal(20, Assert.Throws<ContextLengthExceededException>(() => scheduler.GenerateAsync(new GenerationRequest { Prompt = [3], EncoderInput = new int[21] }, token)).ContextLength);
        Assert.Equal(44, Assert.Throws<ContextLengthExceededException>(() => scheduler.GenerateAsync(new GenerationRequest { Prompt = new int[44], EncoderInput = new int[20] }, token)).ContextLength);
        await Assert.ThrowsAsync<ModelTaskException>(() => scheduler.EmbedAsync([1], PoolingKind.Mean, token));
        Assert.Throws<ArgumentException>(() => new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System, new HashPipeline(Vocab)));
        await using var plain = new Scheduler(new HashPipeline(Vocab), new SchedulerOptions(), TimeProvider.System);
        Assert.Contains("no encoder", Assert.Throws<ArgumentException>(() => plain.GenerateAsync(new GenerationRequest { Prompt = [3], EncoderInput = [1] }, token)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Texts_of_an_encoder_are_never_cut_or_shared() =>
        await Gen.Select(Input.Array[1, 20], Gen.Int[1, 9], Gen.Int[24, 60], Gen.Int[1, 8], Gen.Int[0, 2]).SampleAsync(async (texts, size, step, running, pooling) =>
        {
            var kind = (PoolingKind)pooling;
            var pipeline = new HashPipeline(Vocab, size, (60 + size - 1) / size, step, context: 60, causal: false);
            await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { MaxRunning = running, ChunkTokens = 3 }, TimeProvider.System);
            Assert.Equal(step, scheduler.ContextLength);
            var vectors = await Task.WhenAll(texts.Select(t => scheduler.EmbedAsync(t, kind)));
            for (var i = 0; i < texts.Length; i++)
                Assert.Equal(await Alone(pipeline, texts[i], kind), vectors[i]);
            var stats = scheduler.Stats;
            Assert.Equal((0, 0, 0L, 0), (stats.KvBlocksUsed, stats.KvBlocksIdle, stats.ReusedPromptTokens, stats.Running));
            Assert.Equal(texts.Sum(t => t.Length), stats.PromptTokens);
        }, iter: 100, threads: 2);

    [Fact]
    public async Task An_encoder_neither_generates_nor_scores()
    {
        await using var scheduler = new Scheduler(new HashPipeline(Vocab, causal: false), new SchedulerOptions(), TimeProvider.System);
        var token = TestContext.Current.CancellationToken;
        Assert.Contains("embeddings", Assert.Throws<ModelTaskException>(() => scheduler.GenerateAsync(new GenerationRequest { Prompt = [1] }, token)).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ModelTaskException>(() => scheduler.ScoreAsync([1], [2], 0, token));
        await Assert.ThrowsAsync<ContextLengthExceededException>(() => scheduler.EmbedAsync(new int[33], PoolingKind.Mean, token));
    }

    private static async Task<float[]> Alone(HashPipeline pipeline, int[] text, PoolingKind kind)
    {
        var batch = new StepBatch();
        batch.Add(text, 0, [.. Enumerable.Range(0, (text.Length + pipeline.BlockSize - 1) / pipeline.BlockSize)], text.Length);
        var rows = (await pipeline.ForwardAsync(batch, StepOutput.Hidden, CancellationToken.None)).ToArray();
        var width = pipeline.Config.HiddenSize;
        var vector = new float[width];
        for (var d = 0; d < width; d++)
        {
            vector[d] = kind switch
            {
                PoolingKind.Cls => rows[d],
                PoolingKind.Last => rows[^(width - d)],
                _ => (float)(Enumerable.Range(0, text.Length).Sum(t => (double)rows[(t * width) + d]) / text.Length),
            };
        }

        return vector;
    }
}
