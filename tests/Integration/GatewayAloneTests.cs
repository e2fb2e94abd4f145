using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Slm.Gateway;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Integration;

/// <summary>The gateway as a process of its own, before the services of the platform.</summary>
public sealed class GatewayAloneTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silos_and_models_are_reached_through_it_by_gRPC_and_by_HTTP()
    {
        var (http, grpc) = ($"http://127.0.0.1:{Ports.Free()}", $"http://127.0.0.1:{Ports.Free()}");
        await using var gateway = await StartAsync(http, grpc, platform.Grpc);
        using var channel = GrpcChannel.ForAddress(grpc);
        using var web = new HttpClient { BaseAddress = new Uri(http) };

        var silo = Assert.Single((await new ClusterService.ClusterServiceClient(channel).ListSilosAsync(new ListSilosRequest(), cancellationToken: Cancelled)).Silos);
        Assert.Equal(SiloState.Active, silo.State);
        var unknown = await Assert.ThrowsAsync<RpcException>(() => new ClusterService.ClusterServiceClient(channel).DrainAsync(new DrainRequest { Silo = "nonesuch" }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, unknown.StatusCode);
        Assert.Contains(silo.Silo_, unknown.Status.Detail, StringComparison.Ordinal);

        var silos = await web.GetFromJsonAsync<JsonElement>("/v1/silos", Cancelled);
        Assert.Equal(silo.Silo_, Assert.Single(silos.GetProperty("silos").EnumerateArray()).GetProperty("silo").GetString());
        using var drained = await web.PostAsJsonAsync("/v1/silos/nonesuch:drain", new { }, Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, drained.StatusCode);
        var models = await web.GetFromJsonAsync<JsonElement>("/v1/deployments", Cancelled);
        Assert.Contains(models.GetProperty("models").EnumerateArray(), m => m.GetProperty("model").GetString() == "llama-untied-f32");
    }

    private static async Task<WebApplication> StartAsync(string http, string grpc, string inference)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Slm:Http"] = http,
            ["Slm:Grpc"] = grpc,
            ["services:inference:grpc:0"] = inference,
            ["services:tokenizer:grpc:0"] = inference,
            ["Logging:LogLevel:Default"] = "Error",
        });
        builder.AddServiceDefaults();
        builder.AddGatewayService();
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapGatewayService();
        await app.StartAsync(Cancelled);
        return app;
    }
}
