using Grpc.Core;
using Slm.Engine.Tests;
using Slm.Inference;
using Slm.V1;

namespace Slm.Integration;

/// <summary>Two silos that meet on PostgreSQL.</summary>
public sealed class ClusterTests
{
    private const string Model = "llama-untied-f32";

    /// <summary>Two layers.</summary>
    private const string Narrow = "llama-q4_1";

    /// <summary>Its hidden size.</summary>
    private const int Width = 256;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_silos_on_PostgreSQL_serve_one_deployment()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        await using var first = await SiloHost.StartAsync(server.ConnectionString);
        await using var second = await SiloHost.StartAsync(server.ConnectionString);
        var reference = ReferenceModel.Read(Model);
        var request = GenerationTests.Greedy(Model, reference.Tokens, reference.Greedy.Length);
        request.Sampling.Logprobs = true;

        // Whichever silo holds the model, one of the two calls crosses to the other.
        var near = await first.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        var far = await second.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal(reference.Greedy, near.TokenIds);
        near.Usage = far.Usage = null;
        Assert.Equal(near, far);

        var measured = await first.Cluster.ListSilosAsync(new ListSilosRequest { Measure = true }, cancellationToken: Cancelled);
        Assert.Equal(2, measured.Silos.Count);
        Assert.All(measured.Silos, silo => Assert.True(silo.ReadBytesPerSecond > 0 && silo.MultiplyAddsPerSecond > 0 && silo.Links.Single().LatencyMs > 0));

        foreach (var silo in new[] { first, second })
        {
            var description = await silo.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
            Assert.Equal(2 * reference.Greedy.Length, description.Load.GeneratedTokens);
            request.Sampling.TopP = 9;
            var error = await Assert.ThrowsAsync<RpcException>(() => silo.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
            Assert.Equal("sampling.top_p", error.GetRpcStatus()!.GetDetail<Google.Rpc.BadRequest>()!.FieldViolations[0].Field);
        }
        await second.StopAsync(Cancelled);
        await first.StopAsync(Cancelled);
    }

    [Theory]
    [InlineData(WireFormat.F32, "f32", Width * 4)]
    [InlineData(WireFormat.F16, "f16", Width * 2)]
    [InlineData(WireFormat.Q8, "q8", Width + (Width / 32 * 4))]
    public async Task Bytes_between_silos_are_counted_as_they_are_computed(WireFormat wire, string format, int rowBytes)
    {
        const int Answer = 6;
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        using var model = new OwnModel(Narrow);
        await using var first = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "a"), model.Setting);
        await using var second = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "b"), model.Setting);
        using var measured = new Measurements(ClusterMetrics.MeterName);
        await first.Models.LoadAsync(new LoadModelRequest { Model = model.Name, Placement = new Placement { Map = "0@a,1@b", Wire = wire } }, cancellationToken: Cancelled);
        var parts = measured.Observe(ClusterMetrics.Parts, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.PartTag, "stage"));
        var before = Bytes();
        await first.Inference.GenerateOnceAsync(GenerationTests.Greedy(model.Name, [1, 2, 3], Answer), cancellationToken: Cancelled);

        Assert.Equal(2, parts);
        // All tokens but the last one of the answer are computed.
        Assert.Equal((3 + Answer - 1) * rowBytes, Bytes() - before);
        Assert.Equal(0, measured.Sum(ClusterMetrics.StepsInFlight, (ClusterMetrics.ModelTag, model.Name)));
        Assert.Equal(measured.Count(ClusterMetrics.ComputeDuration, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.StageTag, 1)), measured.Count(ClusterMetrics.TransferDuration, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.StageTag, 0), (ClusterMetrics.HopTag, "other_silo")));
        await second.Cluster.DrainAsync(new DrainRequest { Silo = "b" }, cancellationToken: Cancelled);
        // The stage, or the whole replica where its coordinator was there too.
        Assert.Equal(1, measured.Sum(ClusterMetrics.Replaced, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.ReasonTag, "drained")));

        double Bytes() => measured.Sum(ClusterMetrics.WireBytes, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.FormatTag, format), (ClusterMetrics.PartTag, "stage"));
    }

    [Fact]
    public async Task Visits_of_experts_are_described_and_counted()
    {
        const int Answer = 6;
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        using var model = new OwnModel("qwen3moe-f32");
        await using var first = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "a"), model.Setting);
        await using var second = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "b"), model.Setting);
        using var measured = new Measurements(ClusterMetrics.MeterName);
        await first.Models.LoadAsync(new LoadModelRequest { Model = model.Name, Placement = new Placement { Map = "0-1@a;experts:0-3@b,4-7@b" } }, cancellationToken: Cancelled);
        await first.Inference.GenerateOnceAsync(GenerationTests.Greedy(model.Name, [1, 2, 3], Answer), cancellationToken: Cancelled);

        var description = await second.Models.DescribeAsync(new DescribeModelRequest { Model = model.Name }, cancellationToken: Cancelled);
        var groups = Assert.Single(description.Stages).ExpertGroups;
        Assert.Equal([4, 4], groups.Select(g => g.Visits.Count));
        // Each token that is computed visits three experts in each of two layers.
        Assert.Equal((3 + Answer - 1) * 3 * 2, groups.Sum(g => g.Visits.Sum()));
        Assert.Equal(groups.Sum(g => g.Visits.Sum()), measured.Sum(ClusterMetrics.ExpertVisits, (ClusterMetrics.ModelTag, model.Name)));
        Assert.Empty(description.Stages[0].Experts);
        var visits = groups.SelectMany(g => g.Experts.Zip(g.Visits)).OrderBy(v => v.First).Select(v => v.Second).ToArray();

        // The same experts are visited as often where some, or all, of them stay with their stages.
        foreach (var map in new[] { "0-1@a;experts:0-3@a,4-7@b", "0-0@a,1-1@b" })
        {
            await first.Models.LoadAsync(new LoadModelRequest { Model = model.Name, Placement = new Placement { Map = map } }, cancellationToken: Cancelled);
            await first.Inference.GenerateOnceAsync(GenerationTests.Greedy(model.Name, [1, 2, 3], Answer), cancellationToken: Cancelled);
            description = await second.Models.DescribeAsync(new DescribeModelRequest { Model = model.Name }, cancellationToken: Cancelled);
            var sum = new long[8];
            foreach (var stage in description.Stages)
            {
                foreach (var (expert, count) in stage.Experts.Zip(stage.ExpertVisits).Concat(stage.ExpertGroups.SelectMany(g => g.Experts.Zip(g.Visits))))
                    sum[expert] += count;
            }

            Assert.Equal(map.Contains("experts", StringComparison.Ordinal) ? [0, 1, 2, 3] : Enumerable.Range(0, 8), description.Stages[0].Experts);
            Assert.Equal(visits, sum);
        }

        Assert.Equal(3 * visits.Sum(), measured.Sum(ClusterMetrics.ExpertVisits, (ClusterMetrics.ModelTag, model.Name)));
    }
}
