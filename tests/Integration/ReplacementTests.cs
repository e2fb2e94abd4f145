using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.V1;

namespace Slm.Integration;

/// <summary>Wishes for a model that is loaded otherwise: what cannot be had costs nothing of what there is.</summary>
[Collection(AdapterFile.Tall)]
public sealed class ReplacementTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wish_that_is_refused_leaves_the_model_loaded()
    {
        const string Model = "llama-q6_k";
        await LoadAsync(new LoadModelRequest { Model = Model, ContextLength = 128, Placement = new Placement { Stages = 2 } });
        await AnswerAsync(Model);
        await RefusedAsync(StatusCode.InvalidArgument, "nowhere", new LoadModelRequest { Model = Model, Placement = new Placement { Map = "0-99@nowhere" } });
        await RefusedAsync(StatusCode.InvalidArgument, "moon", new LoadModelRequest { Model = Model, Placement = new Placement { Labels = { ["zone"] = "moon" } } });
        await RefusedAsync(StatusCode.InvalidArgument, "placement.stages", new LoadModelRequest { Model = Model, Placement = new Placement { Stages = 99 } });
        await RefusedAsync(StatusCode.NotFound, "no-such-model", new LoadModelRequest { Model = Model, DraftModel = "no-such-model" });

        // What answers is what answered before: it still counts from then.
        await AnswerAsync(Model);
        var description = await DescribeAsync(Model);
        Assert.Equal((ModelState.Loaded, 128, 2 * 4), (description.Model.State, description.Model.ContextLength, description.Load.GeneratedTokens));
        Assert.Equal(2, description.Stages.Count);
    }

    /// <summary>What only loading itself can find out.</summary>
    [Fact]
    public async Task Where_loading_otherwise_fails_the_model_comes_back_as_it_was()
    {
        const string Model = "llama-q5_1";
        await LoadAsync(new LoadModelRequest { Model = Model, ContextLength = 128, Placement = new Placement { Stages = 2 } });
        var before = await AnswerAsync(Model);
        var wish = new LoadModelRequest { Model = Model, DraftModel = "llama-tied-f16" };
        var changing = platform.Models.LoadAsync(wish, cancellationToken: Cancelled).ResponseAsync;

        // Whoever asks meanwhile is answered by what was there, or by what comes back.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AnswerAsync(Model)));
        var error = await Assert.ThrowsAsync<RpcException>(() => changing);
        Assert.Contains("vocabulary of 500 tokens", error.Status.Detail, StringComparison.Ordinal);
        Assert.All(answers, a => Assert.Equal(before, a));
        var description = await platform.DescribeUntilAsync(Model, d => d.Model.State == ModelState.Loaded, Cancelled);
        Assert.Equal((128, 2), (description.Model.ContextLength, description.Stages.Count));
        Assert.Equal(before, await AnswerAsync(Model));
    }

    [Fact]
    public async Task Adapters_come_back_with_a_model()
    {
        const string Model = AdapterFile.Tall;
        const string Adapter = "back";
        await LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Stages = 2 } });
        await platform.Models.LoadAdapterAsync(new LoadAdapterRequest { Model = Model, Adapter = Adapter, File = AdapterFile.Tall }, cancellationToken: Cancelled);
        await RefusedAsync(StatusCode.FailedPrecondition, "vocabulary of 500 tokens", new LoadModelRequest { Model = Model, DraftModel = "llama-tied-f16" });
        var description = await platform.DescribeUntilAsync(Model, d => d.Model.State == ModelState.Loaded, Cancelled);
        Assert.Equal(Adapter, Assert.Single(description.Model.Adapters).Adapter_);
        await platform.Models.UnloadAdapterAsync(new UnloadAdapterRequest { Model = Model, Adapter = Adapter }, cancellationToken: Cancelled);
    }

    /// <summary>A model that fills the silos can be loaded otherwise on them.</summary>
    [Fact]
    public void What_a_model_holds_counts_as_free_for_itself()
    {
        SiloInfo[] silos = [Silo("a", "one", Part("m", 10, 5), Part("n", 100, 0)), Silo("b", "one", Part("m", 20, 0)), Silo("c", "two")];
        var without = ModelPlanner.Without("m", silos);
        Assert.Equal([1015, 1020, 1000], without.Select(s => s.FreeMemoryBytes));
        Assert.Equal([2035, 2035, 2000], without.Select(s => s.HostFreeMemoryBytes));

        static SiloInfo Silo(string name, string host, params SiloPart[] parts) =>
            new(name, name, host, 1, 1000, 1, 1, "", "", [], false, parts, 2000, [], 1, 0, 0);

        static SiloPart Part(string model, long weights, long state) => new(model, 0, "stage 0", weights, state);
    }

    private async Task RefusedAsync(StatusCode code, string message, LoadModelRequest wish)
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => platform.Models.LoadAsync(wish, cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains(message, error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(code, error.StatusCode);
    }

    private async Task<int[]> AnswerAsync(string model) =>
        [.. (await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(model, [4, 5, 6], 4), cancellationToken: Cancelled)).TokenIds];

    private async Task LoadAsync(LoadModelRequest load) => await platform.Models.LoadAsync(load, cancellationToken: Cancelled);

    private async Task<ModelDescription> DescribeAsync(string model) => await platform.Models.DescribeAsync(new DescribeModelRequest { Model = model }, cancellationToken: Cancelled);
}
