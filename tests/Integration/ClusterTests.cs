using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Slm.Inference;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Integration;

/// <summary>Two silos that meet on PostgreSQL, with the settings an Aspire composition writes.</summary>
public sealed class ClusterTests
{
    private const string Model = "llama-untied-f32";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_silos_on_PostgreSQL_serve_one_deployment()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        await using var first = await StartAsync(server.ConnectionString);
        await using var second = await StartAsync(server.ConnectionString);
        using var one = GrpcChannel.ForAddress(first.Configuration["Slm:Grpc"]!);
        using var other = GrpcChannel.ForAddress(second.Configuration["Slm:Grpc"]!);
        var reference = ReferenceModel.Read(Model);
        var request = GenerationTests.Greedy(Model, reference.Tokens, reference.Greedy.Length);
        request.Sampling.Logprobs = true;

        // Whichever silo holds the model, one of the two calls crosses to the other.
        var near = await new InferenceService.InferenceServiceClient(one).GenerateOnceAsync(request, cancellationToken: Cancelled);
        var far = await new InferenceService.InferenceServiceClient(other).GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal(reference.Greedy, near.TokenIds);
        near.Usage = far.Usage = null;
        Assert.Equal(near, far);

        foreach (var channel in new[] { one, other })
        {
            var description = await new ModelService.ModelServiceClient(channel).DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
            Assert.Equal(2 * reference.Greedy.Length, description.Load.GeneratedTokens);
            request.Sampling.TopP = 9;
            var error = await Assert.ThrowsAsync<RpcException>(() => new InferenceService.InferenceServiceClient(channel).GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
            Assert.Equal("sampling.top_p", error.GetRpcStatus()!.GetDetail<Google.Rpc.BadRequest>()!.FieldViolations[0].Field);
        }
        await second.StopAsync(Cancelled);
        await first.StopAsync(Cancelled);
    }

    private static async Task<WebApplication> StartAsync(string connectionString)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Slm:Http"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Grpc"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Models"] = ReferenceModel.Folder,
            ["Slm:Inference:DrainSeconds"] = "1",
            ["Logging:LogLevel:Default"] = "Error",
            ["Logging:LogLevel:Microsoft"] = "Error",
            ["Logging:LogLevel:Orleans"] = "Error",
            ["Orleans:ClusterId"] = "slm",
            ["Orleans:ServiceId"] = "slm",
            ["Orleans:EnableDistributedTracing"] = "true",
            ["Orleans:Endpoints:SiloPort"] = $"{Ports.Free()}",
            ["Orleans:Endpoints:GatewayPort"] = $"{Ports.Free()}",
            ["Orleans:Endpoints:AdvertisedIPAddress"] = "127.0.0.1",
            ["Orleans:Clustering:ProviderType"] = "AdoNet",
            ["Orleans:Clustering:Invariant"] = "Npgsql",
            ["Orleans:Clustering:ConnectionName"] = "slmdb",
            ["ConnectionStrings:slmdb"] = connectionString,
        });
        builder.AddServiceDefaults();
        builder.AddInferenceService();
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapInferenceService();
        await app.StartAsync(Cancelled);
        return app;
    }
}
