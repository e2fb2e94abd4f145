using Grpc.Core;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>What operators do, under answers that are under way.</summary>
public sealed class OperationsTests
{
    private const int Count = 8;
    private const int Tokens = 120;

    [Fact(Timeout = 300_000)]
    public async Task A_drained_silo_gives_its_stages_away() => await MoveAsync(
        parts => parts.Stage,
        async (parts, victim) => await parts.Entry.Cluster.DrainAsync(new DrainRequest { Silo = victim.Name }),
        TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task A_drained_coordinator_hands_its_answers_over() => await MoveAsync(
        parts => parts.Coordinator,
        async (parts, victim) => await parts.Entry.Cluster.DrainAsync(new DrainRequest { Silo = victim.Name }),
        TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task A_silo_that_is_asked_to_end_gives_its_parts_away() => await MoveAsync(
        parts => parts.Coordinator,
        async (_, victim) => Assert.Equal(0, await victim.StopAsync(TestContext.Current.CancellationToken)),
        TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task A_cluster_that_is_started_again_has_its_models()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await using var cluster = await SiloCluster.StartAsync(3, cancelled);
        await cluster.LoadAsync(cancelled);
        await Task.WhenAll(cluster.Silos.Values.Select(s => s.KillAsync()));
        foreach (var name in cluster.Silos.Keys.ToArray())
            await cluster.RestartAsync(name, cancelled);
        var entry = cluster.Silos["a"];
        Model model;
        do
            model = await entry.Models.GetAsync(new GetModelRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
        while (model.State is ModelState.Available or ModelState.Loading);
        Assert.Equal(ModelState.Loaded, model.State);
        var description = await entry.Models.DescribeAsync(new DescribeModelRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
        Assert.True(description.Placement.HasMap);
        Assert.Equal(2, description.Stages.Count);
    }

    /// <summary>Nothing moves back by itself; what does by command is said in the silos' names.</summary>
    [Fact(Timeout = 300_000)]
    public async Task A_resumed_silo_gets_its_stage_back_by_command()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await using var cluster = await SiloCluster.StartAsync(3, cancelled);
        var parts = await cluster.LoadAsync(cancelled);
        var layers = (await parts.Entry.Models.DescribeAsync(new DescribeModelRequest { Model = SiloCluster.Model }, cancellationToken: cancelled)).Layers;
        await parts.Entry.Cluster.DrainAsync(new DrainRequest { Silo = parts.Stage }, cancellationToken: cancelled);
        await parts.Entry.Cluster.ResumeAsync(new ResumeRequest { Silo = parts.Stage }, cancellationToken: cancelled);
        var drained = await SiloCluster.StagesAsync(parts.Entry, cancelled);
        Assert.NotEqual("b", drained[0]);

        // That the silo takes stages again takes a moment to get about.
        RebalanceResponse rebalanced;
        do
            rebalanced = await parts.Entry.Cluster.RebalanceAsync(new RebalanceRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
        while (rebalanced.Moves.Count == 0);
        var (first, second) = ($"0-{(layers / 2) - 1}", $"{layers / 2}-{layers - 1}");
        Assert.Equal([$"Replica 0: {first}@{drained[0]}, {second}@{drained[1]} became {first}@b, {second}@c."], rebalanced.Moves);
        Assert.Equal(["b", "c"], await SiloCluster.StagesAsync(parts.Entry, cancelled));
        Assert.Empty((await parts.Entry.Cluster.RebalanceAsync(new RebalanceRequest { Model = SiloCluster.Model }, cancellationToken: cancelled)).Moves);
    }

    [Fact(Timeout = 300_000)]
    public async Task What_cannot_be_placed_says_why()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await using var cluster = await SiloCluster.StartAsync(2, cancelled);
        var entry = cluster.Silos["a"];
        var error = await Assert.ThrowsAsync<RpcException>(async () => await entry.Models.LoadAsync(
            new LoadModelRequest { Model = SiloCluster.Model, Placement = new Placement { Map = "0-99@nowhere" } }, cancellationToken: cancelled));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        error = await Assert.ThrowsAsync<RpcException>(async () => await entry.Models.LoadAsync(
            new LoadModelRequest { Model = SiloCluster.Model, Placement = new Placement { Labels = { ["zone"] = "moon" } } }, cancellationToken: cancelled));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("moon", error.Status.Detail, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<RpcException>(async () => await entry.Cluster.DrainAsync(new DrainRequest { Silo = "z" }, cancellationToken: cancelled));
        Assert.Contains("There are: a, b.", error.Status.Detail, StringComparison.Ordinal);
    }

    private static async Task MoveAsync(Func<ModelParts, string> who, Func<ModelParts, SiloProcess, Task> move, CancellationToken cancelled)
    {
        await using var cluster = await SiloCluster.StartAsync(4, cancelled);
        try
        {
            var requests = Streams.Requests(Count, Tokens);
            var parts = await cluster.LoadAsync(cancelled);
            var undisturbed = await Streams.RunAsync(parts.Entry, requests, null, cancelled);
            await parts.Entry.Models.UnloadAsync(new UnloadModelRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
            parts = await cluster.LoadAsync(cancelled);
            var victim = cluster.Silos[who(parts)];
            var disturbed = await Streams.RunAsync(parts.Entry, requests, () => move(parts, victim), cancelled);
            for (var i = 0; i < Count; i++)
                disturbed[i].MustEqual(undisturbed[i]);
            Assert.DoesNotContain(victim.Name, await SiloCluster.StagesAsync(parts.Entry, cancelled));
        }
        catch
        {
            TestContext.Current.TestOutputHelper?.WriteLine(cluster.Logs);
            throw;
        }
    }
}
