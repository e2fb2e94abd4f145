using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

public sealed class GenerationTests(Platform platform)
{
    private const string Model = "llama-untied-f32";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("llama-untied-f32")]
    [InlineData("llama-tied-f16")]
    [InlineData("llama-rope3-bf16")]
    [InlineData("llama-q8_0")]
    [InlineData("llama-q4_0")]
    [InlineData("qwen2-f32")]
    [InlineData("qwen3-f32")]
    public async Task Greedy_generation_gives_the_recorded_tokens(string model)
    {
        var reference = ReferenceModel.Read(model);
        var answer = await platform.Inference.GenerateOnceAsync(Greedy(model, reference.Tokens, reference.Greedy.Length), cancellationToken: Cancelled);
        Assert.Equal(reference.Greedy, answer.TokenIds);
        Assert.Equal(FinishReason.Length, answer.FinishReason);
        Assert.Equal(reference.Tokens.Length, answer.Usage.PromptTokens);
        Assert.Equal(reference.Greedy.Length, answer.Usage.CompletionTokens);
        Assert.StartsWith("fp_", answer.Usage.SystemFingerprint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_adds_up_to_the_whole_answer()
    {
        var request = Greedy(Model, ReferenceModel.Read(Model).Tokens, 40);
        request.Sampling.Temperature = 1;
        request.Sampling.Seed = 11;
        request.Sampling.Logprobs = true;
        var whole = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        using var call = platform.Inference.Generate(request, cancellationToken: Cancelled);
        var pieces = await call.ResponseStream.ReadAllAsync(Cancelled).ToListAsync(Cancelled);
        Assert.True(pieces.Count > 1);
        Assert.Equal(whole.Text, string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal(whole.TokenIds, pieces.SelectMany(p => p.TokenIds));
        Assert.Equal(whole.Logprobs, pieces.SelectMany(p => p.Logprobs));
        Assert.All(pieces.SkipLast(1), p => Assert.Equal(FinishReason.Unspecified, p.FinishReason));
        Assert.Equal(FinishReason.Length, pieces[^1].FinishReason);
        Assert.Equal(11UL, pieces[^1].Usage.Seed);
    }

    [Fact]
    public async Task A_prompt_sent_again_is_taken_from_the_cache_and_gives_the_same_bits()
    {
        var request = Greedy("llama-tied-f16", [.. Enumerable.Range(0, 100).Select(i => i * 7 % 100)], 12);
        request.Sampling.Temperature = 1;
        request.Sampling.Seed = 3;
        request.Sampling.Logprobs = true;
        var first = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        var second = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal((0, 99), (first.Usage.CachedPromptTokens, second.Usage.CachedPromptTokens));
        first.Usage = second.Usage = null;
        Assert.Equal(first, second);
        var description = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = request.Model }, cancellationToken: Cancelled);
        Assert.InRange(description.Load.PrefixHitRate, 0.3, 1);
    }

    [Fact]
    public async Task A_deployment_with_a_draft_model_gives_the_same_answers()
    {
        var request = Greedy("llama-q8_0", ReferenceModel.Read("llama-q8_0").Tokens, 60);
        request.Sampling.Temperature = 0.8f;
        request.Sampling.Seed = 3;
        var plain = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        await platform.Models.LoadAsync(new LoadModelRequest { Model = "llama-q8_0", DraftModel = "llama-q8_0", Placement = new Placement { Stages = 2 } }, cancellationToken: Cancelled);
        var drafted = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        request.Speculation = Speculation.Ngram;
        var ngram = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal(plain.TokenIds, drafted.TokenIds);
        Assert.Equal(plain.TokenIds, ngram.TokenIds);
        Assert.Equal(0, plain.Usage.DraftedTokens);
        Assert.True(drafted.Usage.DraftedTokens > 30 && drafted.Usage.AcceptedDraftTokens == drafted.Usage.DraftedTokens);
        await platform.Models.UnloadAsync(new UnloadModelRequest { Model = "llama-q8_0" }, cancellationToken: Cancelled);
    }

    [Fact]
    public async Task Every_number_of_stages_gives_the_same_bits()
    {
        var request = Greedy(ReferenceModel.Tall, ReferenceModel.Read("qwen3-f32").Tokens, 24);
        request.Echo = true;
        request.Sampling.Temperature = 0.9f;
        request.Sampling.Seed = 5;
        request.Sampling.Logprobs = true;
        request.Sampling.TopLogprobs = 20;
        var answers = new List<GenerateOnceResponse>();
        foreach (var stages in new[] { 1, 2, 4, 6 })
        {
            var load = new LoadModelRequest { Model = ReferenceModel.Tall, Placement = new Placement { Stages = stages } };
            Assert.Equal(ModelState.Loaded, (await platform.Models.LoadAsync(load, cancellationToken: Cancelled)).State);
            var description = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = ReferenceModel.Tall }, cancellationToken: Cancelled);
            Assert.Equal(stages, description.Stages.Count);
            Assert.Equal(0, description.Stages[0].FirstLayer);
            Assert.Equal(ReferenceModel.TallLayers, description.Stages[^1].EndLayer);
            Assert.All(description.Stages.Zip(description.Stages.Skip(1)), pair => Assert.Equal(pair.First.EndLayer, pair.Second.FirstLayer));
            Assert.All(description.Stages, s => Assert.NotEmpty(s.Silo));
            var answer = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
            answer.Usage = null;
            answers.Add(answer);
        }
        Assert.Equal(24, answers[0].Logprobs.Count);
        Assert.Equal(24, answers[0].PromptLogprobs.Count);
        Assert.All(answers.Skip(1), a => Assert.Equal(answers[0], a));
    }

    [Fact]
    public async Task Thirty_two_requests_at_once_get_what_each_gets_alone()
    {
        var tokens = ReferenceModel.Read(Model).Tokens;
        var requests = Enumerable.Range(0, 32).Select(i =>
        {
            var request = Greedy(Model, [.. tokens[(i % tokens.Length)..], .. tokens], 10 + i);
            request.Sampling.Temperature = i % 2;
            request.Sampling.Seed = (ulong)i;
            request.Sampling.Logprobs = true;
            request.Sampling.TopLogprobs = i % 5;
            return request;
        }).ToList();
        var alone = new List<GenerateOnceResponse>();
        foreach (var request in requests)
            alone.Add(await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled));
        var together = await Task.WhenAll(requests.Select(r => platform.Inference.GenerateOnceAsync(r, cancellationToken: Cancelled).ResponseAsync));
        foreach (var (one, other) in alone.Zip(together))
        {
            one.Usage = other.Usage = null;
            Assert.Equal(one, other);
        }
    }

    [Fact]
    public async Task A_client_that_goes_frees_its_place()
    {
        await RunUntilAsync(async call =>
        {
            call.Dispose();
            await Task.CompletedTask;
        });
        var metrics = await platform.Web.GetStringAsync(new Uri("/metrics", UriKind.Relative), Cancelled);
        Assert.Matches($"slm_engine_requests_cancelled_total{{slm_model=\"{ReferenceModel.Tall}\"}} [1-9]", metrics);
    }

    [Fact]
    public async Task A_deadline_ends_the_generation()
    {
        await RunUntilAsync(
            async call =>
            {
                var error = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.ReadAllAsync(Cancelled).CountAsync(Cancelled));
                Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
            },
            deadline: TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task A_score_is_what_generation_reports()
    {
        var reference = ReferenceModel.Read(Model);
        var request = Greedy(Model, reference.Tokens, reference.Greedy.Length);
        request.Sampling.Logprobs = true;
        var answer = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        var score = await platform.Inference.ScoreAsync(
            new ScoreRequest { Model = Model, TokenIds = Ids(reference.Tokens), ContinuationIds = Ids(reference.Greedy) }, cancellationToken: Cancelled);
        Assert.True(score.IsGreedy);
        Assert.Equal(reference.Tokens.Length, score.ContextTokens);
        Assert.Equal(answer.Logprobs.Select(t => t.Logprob), score.Tokens.Select(t => t.Logprob));
        Assert.Equal(answer.Logprobs.Sum(t => (double)t.Logprob), score.SumLogprob, 1e-9);
        var other = await platform.Inference.ScoreAsync(
            new ScoreRequest { Model = Model, TokenIds = Ids(reference.Tokens), ContinuationIds = Ids([reference.Greedy[0] == 0 ? 1 : 0]) }, cancellationToken: Cancelled);
        Assert.False(other.IsGreedy);
    }

    [Fact]
    public async Task Embeddings_have_unit_length_and_the_wanted_size()
    {
        var request = new EmbedRequest { Model = Model, Inputs = { new EmbedInput { Text = "Once upon a time" }, new EmbedInput { TokenIds = Ids([5, 6, 7]) } } };
        var full = await platform.Inference.EmbedAsync(request, cancellationToken: Cancelled);
        Assert.Equal([64, 64], full.Embeddings.Select(e => e.Values.Count));
        Assert.All(full.Embeddings, e => Assert.Equal(1, e.Values.Sum(v => (double)v * v), 1e-5));
        request.Dimensions = 8;
        request.Normalize = false;
        var cut = await platform.Inference.EmbedAsync(request, cancellationToken: Cancelled);
        var ratio = cut.Embeddings[0].Values[0] / full.Embeddings[0].Values[0];
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(cut.Embeddings[0].Values[i], full.Embeddings[0].Values[i] * ratio, 1e-4f));
    }

    internal static GenerateRequest Greedy(string model, IEnumerable<int> prompt, int maxTokens) => new()
    {
        Model = model,
        TokenIds = Ids(prompt),
        Sampling = new SamplingOptions { Temperature = 0, MaxTokens = maxTokens, IgnoreEos = true },
    };

    internal static TokenIds Ids(IEnumerable<int> ids) => new() { Ids = { ids } };

    /// <summary>Starts an answer as long as the context, lets <paramref name="end"/> end it once it streams, and waits until nothing runs.</summary>
    private async Task RunUntilAsync(Func<AsyncServerStreamingCall<GenerateResponse>, Task> end, TimeSpan? deadline = null)
    {
        var before = await platform.Models.LoadAsync(new LoadModelRequest { Model = ReferenceModel.Tall }, cancellationToken: Cancelled);
        Assert.Equal(ReferenceModel.TallContext, before.ContextLength);
        var request = Greedy(ReferenceModel.Tall, [1, 2, 3], 1);
        request.Sampling.ClearMaxTokens();
        using var call = platform.Inference.Generate(request, deadline: DateTime.UtcNow + deadline, cancellationToken: Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        Assert.Equal(1, (await platform.DescribeUntilAsync(ReferenceModel.Tall, d => d.Load.RunningSequences > 0, Cancelled)).Load.RunningSequences);
        await end(call);
        var after = await platform.DescribeUntilAsync(ReferenceModel.Tall, d => d.Load.RunningSequences == 0, Cancelled);
        Assert.Equal(0, after.Memory.KvUsedBytes);
        Assert.Equal(0, after.Load.WaitingSequences);
    }
}
