using Google.Rpc;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

/// <summary>A silo without model files beside one that has them: whatever is asked of the first is done.</summary>
public sealed class FilelessSiloTests : IDisposable
{
    private const string Model = "llama-q2_k";
    private readonly string _data = Directory.CreateTempSubdirectory("slm-fileless-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_takes_requests_for_models_that_others_have()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        await using var without = await StartWithoutAsync(server);
        await using var with = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "b"));

        // The first request of all is for a model that nobody has loaded.
        var request = GenerationTests.Greedy(Model, ReferenceModel.Read(Model).Tokens, 8);
        var answer = await UntilKnownAsync(() => without.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(ReferenceModel.Read(Model).Greedy[..8], answer.TokenIds);
        var description = await without.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);

        // On whichever silo has measured itself the faster.
        Assert.Equal(ModelState.Loaded, description.Model.State);
        Assert.Single(description.Stages);
        var (own, others) = (await without.Models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled), await with.Models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled));
        Assert.Equal(others.Models.Select(m => m.Model_), own.Models.Select(m => m.Model_));
        Assert.Equal(ModelState.Loaded, own.Models.Single(m => m.Model_ == Model).State);

        var unknown = await Assert.ThrowsAsync<RpcException>(() => without.Models.DescribeAsync(new DescribeModelRequest { Model = "nonesuch" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Contains(Model, unknown.Status.Detail, StringComparison.Ordinal);
        request.Model = $"{Model}:nonesuch";
        var adapter = await Assert.ThrowsAsync<RpcException>(() => without.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal("ADAPTER_NOT_FOUND", adapter.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Reason);

        // It holds a part, whose weights it fetches; who has the file coordinates, wherever the plan would have it.
        request.Model = Model;
        await without.Models.LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Map = "0-0@b,1-1@a" } }, cancellationToken: Cancelled);
        description = await without.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Equal(["b", "a"], description.Stages.Select(s => s.SiloName));
        Assert.Equal(answer.TokenIds, (await without.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled)).TokenIds);
        var silos = (await with.Cluster.ListSilosAsync(new ListSilosRequest(), cancellationToken: Cancelled)).Silos;
        Assert.Contains("coordinator", silos.Single(s => s.Silo_ == "b").Parts.Select(p => p.Part));
        Assert.DoesNotContain("coordinator", silos.Single(s => s.Silo_ == "a").Parts.Select(p => p.Part));
    }

    [Fact]
    public async Task Where_its_cache_has_no_room_a_placement_is_refused_and_what_was_loaded_stays()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        await using var without = await StartWithoutAsync(server, ("Slm:Inference:WeightCacheBytes", "1KiB"));
        await using var with = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "b"));
        await UntilKnownAsync(() => without.Models.LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Map = "0-1@b" } }, cancellationToken: Cancelled).ResponseAsync);
        var error = await Assert.ThrowsAsync<RpcException>(() =>
            without.Models.LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Map = "0-0@b,1-1@a" } }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Contains("Slm:Inference:WeightCacheBytes of silo a", error.Status.Detail, StringComparison.Ordinal);
        var description = await without.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        while (description.Model.State != ModelState.Loaded)
            description = await without.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Equal("b", Assert.Single(description.Stages).SiloName);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private Task<SiloHost> StartWithoutAsync(PostgreSqlServer server, params (string Key, string Value)[] settings) => SiloHost.StartAsync(
        server.ConnectionString,
        [("Slm:Inference:SiloName", "a"), ("Slm:Models", Path.Combine(_data, "none")), ("Slm:Data", _data), .. settings]);

    /// <summary>A silo that has just started is not known to the others at once.</summary>
    private static async Task<T> UntilKnownAsync<T>(Func<Task<T>> call)
    {
        while (true)
        {
            try
            {
                return await call();
            }
            catch (RpcException error) when (error.StatusCode is StatusCode.NotFound or StatusCode.InvalidArgument && !Cancelled.IsCancellationRequested)
            {
            }
        }
    }
}
