using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Tests.Scheduling;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Adapters;

/// <summary>Adapters that requests choose while others run, share prefixes, speculate, come and go.</summary>
public sealed class AdapterSchedulingTests : IAsyncLifetime
{
    private const string Model = "llama-q8_0";
    private static readonly int[] Stem = [.. Enumerable.Range(3, 70)];
    private readonly ModelFile _file = ReferenceModel.Open(Model);
    private readonly AdapterSet _adapters;
    private LocalPipeline? _alone;

    public AdapterSchedulingTests() => _adapters = new AdapterSet(_file);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        if (_alone is not null)
            await _alone.DisposeAsync();
        _adapters.Dispose();
        _file.Dispose();
    }

    /// <summary>With so little memory that sequences lose their blocks to each other, and prefixes to be shared.</summary>
    [Theory]
    [InlineData(SpeculationKind.None)]
    [InlineData(SpeculationKind.NGram)]
    [InlineData(SpeculationKind.Draft)]
    public async Task Answers_are_those_of_each_request_alone(SpeculationKind speculation)
    {
        var random = new Random(5);
        var requests = Enumerable.Range(0, 16).Select(i => Request([.. Stem[..random.Next(20, 70)], i % 5, i % 3, i % 5], i % 4, temperature: i % 2, tokens: 30)).ToArray();
        var expected = new List<List<int>>();
        foreach (var request in requests)
            expected.Add(await Alone(request));
        await using var pipeline = Load(blocks: 18);
        await using var draft = Load(blocks: 40);
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { GrowthReserve = 0, Speculation = speculation, ChunkTokens = 16 }, TimeProvider.System, draft);
        await _adapters.LoadInto(scheduler);
        for (var round = 0; round < 2; round++)
        {
            var answers = await Task.WhenAll(requests.Select(r => ReferenceGeneration.Collect(scheduler.GenerateAsync(r, Token))));
            Assert.Equal(expected, answers.Select(a => a.Tokens));
            Assert.Equal(requests.Select(r => r.Adapter), answers.Select(a => a.Last.Timings.Adapter?.Name));
        }

        Assert.True(scheduler.Stats.Preemptions > 0 && scheduler.Stats.ReusedPromptTokens > 0, $"{scheduler.Stats}");
        Assert.Equal(speculation != SpeculationKind.None, scheduler.Stats.AcceptedTokens > 0);
        Assert.True(expected.DistinctBy(tokens => string.Join(' ', tokens)).Count() > 12);
    }

    [Fact]
    public async Task Only_requests_with_the_same_adapter_share_prefixes()
    {
        await using var pipeline = Load();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        await _adapters.LoadInto(scheduler);
        for (var adapter = 0; adapter <= AdapterSet.Count; adapter++)
        {
            var request = Request(Stem, adapter);
            var first = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
            var second = await ReferenceGeneration.Collect(scheduler.GenerateAsync(request, Token));
            Assert.Equal(0, first.Last.Timings.ReusedPromptTokens);
            Assert.Equal(Stem.Length - 1, second.Last.Timings.ReusedPromptTokens);
            Assert.Equal(await Alone(request), first.Tokens);
            Assert.Equal(first.Tokens, second.Tokens);
        }

        // Another adapter under the same name, and then in the same slot, finds nothing of the first.
        using (var other = _adapters.Open(2))
            await scheduler.LoadAdapterAsync("1", other, Token);
        var replaced = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(Stem, 1), Token));
        Assert.Equal(0, replaced.Last.Timings.ReusedPromptTokens);
        Assert.Equal(await Alone(Request(Stem, 2)), replaced.Tokens);
        await scheduler.UnloadAdapterAsync("1");
        using (var other = _adapters.Open(1))
            await scheduler.LoadAdapterAsync("1", other, Token);
        var reloaded = await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(Stem, 1), Token));
        Assert.Equal(0, reloaded.Last.Timings.ReusedPromptTokens);
        Assert.Equal(await Alone(Request(Stem, 1)), reloaded.Tokens);
    }

    [Fact]
    public async Task Scores_and_embeddings_use_the_adapter()
    {
        await using var pipeline = Load();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        await _adapters.LoadInto(scheduler);
        var seen = new HashSet<double>();
        foreach (var adapter in new[] { null, "1", "2" })
        {
            await using var other = Load();
            await using var alone = new Scheduler(other, new SchedulerOptions(), TimeProvider.System);
            await _adapters.LoadInto(alone);
            var score = await scheduler.ScoreAsync(Stem[..20], Stem[20..], 0, RequestTerms.Default, adapter, Token);
            Assert.Equal((await alone.ScoreAsync(Stem[..20], Stem[20..], 0, RequestTerms.Default, adapter, Token)).SumLogProb, score.SumLogProb);
            Assert.True(seen.Add(score.SumLogProb));
            foreach (var pooling in new[] { PoolingKind.Mean, PoolingKind.Last, PoolingKind.Cls })
            {
                var vector = await scheduler.EmbedAsync(Stem, pooling, RequestTerms.Default, adapter, Token);
                Assert.Equal(await alone.EmbedAsync(Stem, pooling, RequestTerms.Default, adapter, Token), vector);
                Assert.True(seen.Add(vector[0]));
            }
        }
    }

    [Fact]
    public async Task Unloading_waits_for_the_requests_that_use_it_and_refuses_new_ones()
    {
        await using var pipeline = Load();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { EventBuffer = 2 }, TimeProvider.System);
        await _adapters.LoadInto(scheduler);
        var request = Request(Stem, 1, tokens: 40);
        await using var answer = scheduler.GenerateAsync(request, Token).GetAsyncEnumerator(Token);
        Assert.True(await answer.MoveNextAsync());
        var tokens = new List<int> { answer.Current.Token!.TokenId };

        // The request is paused: its consumer takes nothing.
        var unloading = scheduler.UnloadAdapterAsync("1");
        Assert.Equal(["2", "3"], scheduler.Adapters.Select(a => a.Name));
        var error = Assert.Throws<AdapterNotFoundException>(() => scheduler.GenerateAsync(request, Token));
        Assert.Equal("1", error.Name);
        Assert.Equal(["2", "3"], error.Known);
        await Assert.ThrowsAsync<AdapterNotFoundException>(() => scheduler.UnloadAdapterAsync("1"));
        using (var same = _adapters.Open(3))
            await scheduler.LoadAdapterAsync("1", same, Token);
        Assert.Equal(await Alone(Request(Stem, 3)), (await ReferenceGeneration.Collect(scheduler.GenerateAsync(Request(Stem, 1), Token))).Tokens);
        Assert.False(unloading.IsCompleted);
        while (await answer.MoveNextAsync())
            tokens.Add(answer.Current.Token!.TokenId);
        Assert.Equal(await Alone(request), tokens);
        await unloading;
    }

    [Fact]
    public async Task A_request_that_is_given_up_lets_its_adapter_go()
    {
        await using var pipeline = Load();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { EventBuffer = 2 }, TimeProvider.System);
        await _adapters.LoadInto(scheduler);
        await foreach (var item in scheduler.GenerateAsync(Request(Stem, 2, tokens: 100), Token))
            break;
        await scheduler.UnloadAdapterAsync("2");
        Assert.Equal(["1", "3"], scheduler.Adapters.Select(a => a.Name));
    }

    [Fact]
    public async Task The_same_adapter_is_loaded_once_and_too_many_are_refused()
    {
        await using var pipeline = Load();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System);
        using var adapter = _adapters.Open(1);
        var info = await scheduler.LoadAdapterAsync("a", adapter, Token);
        Assert.Same(info.Name, (await scheduler.LoadAdapterAsync("a", adapter, Token)).Name);
        Assert.Equal((4, 32f, 1f), (info.Rank, info.Alpha, info.Strength));
        for (var i = 1; i < pipeline.AdapterSlots; i++)
            await scheduler.LoadAdapterAsync($"{i}", adapter, Token);
        await scheduler.LoadAdapterAsync("a", adapter, Token);
        var error = await Assert.ThrowsAsync<AdapterLimitException>(() => scheduler.LoadAdapterAsync("more", adapter, Token));
        Assert.Contains($"{pipeline.AdapterSlots} adapters", error.Message, StringComparison.Ordinal);
        await scheduler.UnloadAdapterAsync("7");
        await scheduler.LoadAdapterAsync("more", adapter, Token);
    }

    [Fact]
    public async Task A_pipeline_without_adapters_says_so()
    {
        await using var scheduler = new Scheduler(new HashPipeline(), new SchedulerOptions(), TimeProvider.System);
        using var adapter = _adapters.Open(1);
        Assert.Contains("takes no adapters", (await Assert.ThrowsAsync<AdapterLimitException>(() => scheduler.LoadAdapterAsync("a", adapter, Token))).Message, StringComparison.Ordinal);
        Assert.Contains("load it first", Assert.Throws<AdapterNotFoundException>(() => scheduler.GenerateAsync(Request([1], 1), Token)).Message, StringComparison.Ordinal);
    }

    private static GenerationRequest Request(int[] prompt, int adapter, float temperature = 0, int tokens = 10) => new()
    {
        Prompt = prompt,
        Adapter = adapter == 0 ? null : $"{adapter}",
        Sampling = new SamplingOptions { MaxTokens = tokens, Temperature = temperature, Seed = 3, IgnoreEos = true },
    };

    private LocalPipeline Load(int blocks = 200) => LocalPipeline.Load(_file, new LocalPipelineOptions
    {
        Threads = 2,
        KvPositions = 32L * blocks,
    });

    /// <summary>By a pipeline of its own, in the slot the request names, one token a step.</summary>
    private async Task<List<int>> Alone(GenerationRequest request)
    {
        if (_alone is null)
        {
            _alone = Load();
            await _adapters.LoadInto(_alone);
        }

        var tokens = request.Prompt.ToList();
        var sampler = new TokenSampler();
        var batch = new StepBatch();
        for (var position = 0; tokens.Count < request.Prompt.Length + request.Sampling.MaxTokens; position++)
        {
            batch.Clear();
            batch.Add([tokens[position]], position, [.. Enumerable.Range(0, (position / 32) + 1)], 1, adapter: request.Adapter is null ? 0 : int.Parse(request.Adapter, System.Globalization.CultureInfo.InvariantCulture));
            var row = StepRunner.Forward(_alone, batch);
            if (position == tokens.Count - 1)
                tokens.Add(sampler.Sample(row.Span, request.Sampling, request.Sampling.Seed!.Value, tokens.Count, null));
        }

        return tokens[request.Prompt.Length..];
    }
}
