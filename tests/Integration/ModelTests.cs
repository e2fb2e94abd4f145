using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

public sealed class ModelTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_is_loaded_by_its_first_request_and_unloaded_by_wish()
    {
        const string Model = "llama-yarn-f32";
        Assert.Equal(ModelState.Available, (await GetAsync(Model)).State);
        var before = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Empty(before.Stages);
        Assert.True(before.Layers > 0 && before.HiddenSize > 0 && before.VocabSize > 0);
        var first = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AskAsync(Model)));
        Assert.All(first, a => Assert.Equal(first[0].TokenIds, a.TokenIds));
        var loaded = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Equal(ModelState.Loaded, loaded.Model.State);
        Assert.Equal((true, true), (loaded.Stages.Single().HasEmbedding, loaded.Stages.Single().HasHead));
        Assert.True(loaded.Memory.WeightBytes > 0 && loaded.Memory.KvCapacityBytes > 0);
        // All eight were answered by one deployment.
        Assert.Equal(8 * 4, loaded.Load.GeneratedTokens);
        var unloaded = await platform.Models.UnloadAsync(new UnloadModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Equal(ModelState.Available, unloaded.State);
        Assert.Equal(first[0].TokenIds, (await AskAsync(Model)).TokenIds);
    }

    [Fact]
    public async Task Unloading_lets_a_running_answer_end()
    {
        const string Model = "qwen2-f32";
        var request = GenerationTests.Greedy(Model, [1, 2, 3], 300);
        using var call = platform.Inference.Generate(request, cancellationToken: Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        var tokens = call.ResponseStream.Current.TokenIds.Count;
        var unloading = platform.Models.UnloadAsync(new UnloadModelRequest { Model = Model }, cancellationToken: Cancelled);
        var rest = await call.ResponseStream.ReadAllAsync(Cancelled).ToListAsync(Cancelled);
        Assert.Equal(FinishReason.Length, rest[^1].FinishReason);
        Assert.Equal(300, tokens + rest.Sum(r => r.TokenIds.Count));
        Assert.Equal(ModelState.Available, (await unloading).State);
    }

    [Fact]
    public async Task A_shorter_context_is_kept()
    {
        const string Model = "llama-linear-rope-f32";
        var loaded = await platform.Models.LoadAsync(new LoadModelRequest { Model = Model, ContextLength = 64 }, cancellationToken: Cancelled);
        Assert.Equal(64, loaded.ContextLength);
        var error = await Assert.ThrowsAsync<RpcException>(() =>
            platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(Model, Enumerable.Repeat(3, 65), 1), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("64", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_has_every_file_with_its_figures()
    {
        var models = (await platform.Models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models;
        Assert.Equal(models.Select(m => m.Model_).Order(StringComparer.Ordinal), models.Select(m => m.Model_));
        var model = models.Single(m => m.Model_ == "llama-q4_0");
        Assert.Equal(("llama", "Q4_0"), (model.Architecture, model.Quantization));
        Assert.Equal(new FileInfo(ReferenceModel.PathOf("llama-q4_0")).Length, model.FileBytes);
        Assert.Equal(512, model.ContextLength);
    }

    private async Task<Model> GetAsync(string model) => await platform.Models.GetAsync(new GetModelRequest { Model = model }, cancellationToken: Cancelled);

    private async Task<GenerateOnceResponse> AskAsync(string model) =>
        await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(model, [4, 5, 6], 4), cancellationToken: Cancelled);
}
