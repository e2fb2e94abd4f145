using Slm.V1;

namespace Slm.Integration;

/// <summary>Models in several stages of this process: how they are placed, and what travels between them.</summary>
public sealed class PlacementTests(Platform platform)
{
    private const string Model = "llama-q5_0";
    private const string Floats = "llama-rope3-bf16";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(WireFormat.F32, false)]
    [InlineData(WireFormat.F16, true)]
    public async Task A_split_model_gives_the_bits_of_a_whole_one(WireFormat wire, bool rounded)
    {
        var request = new LoadModelRequest { Model = Model, RoundedResidual = rounded, Placement = new Placement { Stages = 1, Wire = wire } };
        var whole = await AnswerAsync(request);
        request.Placement.Stages = 2;
        var split = await AnswerAsync(request);
        Assert.Equal(whole, split);
    }

    /// <summary>
    /// The weights are floats, so that nothing else rounds: the residual stream is off by at most 2^-11 and 2^-8 of its values at
    /// one boundary, and so are logits of about 10 by some thousandths and some hundredths.
    /// </summary>
    [Theory]
    [InlineData(WireFormat.F16, 0.005)]
    [InlineData(WireFormat.Q8, 0.05)]
    public async Task Fewer_bits_between_stages_change_log_probabilities_a_little(WireFormat wire, double most)
    {
        var request = new LoadModelRequest { Model = Floats, Placement = new Placement { Stages = 2, Wire = WireFormat.F32 } };
        var exact = await ScoreAsync(request);
        request.Placement.Wire = wire;
        var coarse = await ScoreAsync(request);
        var difference = exact.Zip(coarse, (a, b) => Math.Abs(a - b)).Max();
        TestContext.Current.TestOutputHelper?.WriteLine($"{wire}: {difference}");
        Assert.InRange(difference, double.Epsilon, most);
    }

    [Fact]
    public async Task A_rounded_residual_is_another_arithmetic()
    {
        var exact = await AnswerAsync(new LoadModelRequest { Model = Model, RoundedResidual = false, Placement = new Placement { Stages = 1 } });
        var before = (await DescribeAsync()).SystemFingerprint;
        var rounded = await AnswerAsync(new LoadModelRequest { Model = Model, RoundedResidual = true, Placement = new Placement { Stages = 1 } });
        Assert.NotEqual(before, (await DescribeAsync()).SystemFingerprint);
        Assert.NotEqual(exact.Logprobs, rounded.Logprobs);
    }

    [Fact]
    public async Task Replicas_share_the_work_and_one_prefix_stays_with_one_of_them()
    {
        await LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Replicas = 2 } });
        int[] prompt = [.. Enumerable.Range(0, 200).Select(i => i * 7 % 100)];
        var cached = new List<int>();
        for (var i = 0; i < 4; i++)
            cached.Add((await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(Model, prompt, 3), cancellationToken: Cancelled)).Usage.CachedPromptTokens);
        Assert.Equal([0, 199, 199, 199], cached);

        // Prompts that have nothing in common go to both.
        await Task.WhenAll(Enumerable.Range(0, 24).Select(async i =>
            await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(Model, [.. prompt.Select(t => (t + i) % 100)], 20), cancellationToken: Cancelled)));
        var description = await DescribeAsync();
        Assert.Equal([0, 1], description.Stages.Select(s => s.Replica));
        Assert.Equal(2 * description.Memory.KvCapacityBytes / 2, description.Memory.KvCapacityBytes);
        Assert.Equal((4 * 3) + (24 * 20), description.Load.GeneratedTokens);
    }

    [Fact]
    public async Task A_description_says_why_the_model_is_where_it_is()
    {
        await LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Stages = 1 } });
        var description = await DescribeAsync();
        var memory = Assert.Single(description.Prediction.Memory);
        Assert.InRange(memory.PlannedBytes, description.Memory.WeightBytes, memory.FreeBytes);
        Assert.True(description.Prediction.DecodeTokensPerSecond > 0 && description.Prediction.PrefillTokensPerSecond > 0);
        Assert.NotEmpty(description.Prediction.Reasons);
        Assert.NotEmpty(description.Prediction.Bottleneck);
        Assert.Equal(memory.SiloName, Assert.Single(description.Stages).SiloName);
    }

    private async Task<GenerateOnceResponse> AnswerAsync(LoadModelRequest load)
    {
        await LoadAsync(load);
        var reference = ReferenceModel.Read(Model);
        var request = GenerationTests.Greedy(Model, reference.Tokens, 24);
        request.Sampling.Logprobs = true;
        var answer = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        answer.Usage = null;
        return answer;
    }

    private async Task<float[]> ScoreAsync(LoadModelRequest load)
    {
        await LoadAsync(load);
        var reference = ReferenceModel.Read(load.Model);
        var request = new ScoreRequest { Model = load.Model, TokenIds = new TokenIds { Ids = { reference.Tokens } }, ContinuationIds = new TokenIds { Ids = { reference.Greedy } } };
        return [.. (await platform.Inference.ScoreAsync(request, cancellationToken: Cancelled)).Tokens.Select(t => t.Logprob)];
    }

    private async Task LoadAsync(LoadModelRequest load)
    {
        await platform.Models.UnloadAsync(new UnloadModelRequest { Model = load.Model }, cancellationToken: Cancelled);
        await platform.Models.LoadAsync(load, cancellationToken: Cancelled);
    }

    private async Task<ModelDescription> DescribeAsync() => await platform.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
}
