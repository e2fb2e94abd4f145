using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Slm.Gateway;
using Slm.Integration.Access;
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

    /// <summary>Nobody is at the first address: every kind of request is answered at the second.</summary>
    [Fact]
    public async Task Requests_go_on_at_the_next_address_by_gRPC_and_by_HTTP()
    {
        const string Model = "qwen2-f32";
        var (http, grpc) = ($"http://127.0.0.1:{Ports.Free()}", $"http://127.0.0.1:{Ports.Free()}");
        var request = GenerationTests.Greedy(Model, [1, 2, 3], 5);
        var expected = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        for (var way = 0; way < 6; way++)
        {
            // A gateway of its own each time: it stays with the address that it has found.
            await using var gateway = await StartAsync(http, grpc, $"http://127.0.0.1:{Ports.Free()}", platform.Grpc);
            using var channel = GrpcChannel.ForAddress(grpc);
            using var web = new HttpClient { BaseAddress = new Uri(http) };
            var inference = new InferenceService.InferenceServiceClient(channel);
            switch (way)
            {
                case 0:
                    Assert.Equal(expected.TokenIds, (await inference.GenerateOnceAsync(request, cancellationToken: Cancelled)).TokenIds);
                    break;
                case 1:
                    using (var call = inference.Generate(request, cancellationToken: Cancelled))
                        Assert.Equal(expected.TokenIds, await call.ResponseStream.ReadAllAsync(Cancelled).SelectMany(p => p.TokenIds).ToListAsync(Cancelled));
                    break;
                case 2:
                    Assert.Equal(expected.Text, (await PostAsync(web, $"/v1/inference/{Model}:generate", new { tokenIds = new { ids = new[] { 1, 2, 3 } }, sampling = new { maxTokens = 5, temperature = 0, ignoreEos = true } })).GetProperty("text").GetString());
                    break;
                case 3:
                    Assert.Equal(expected.Text, (await PostAsync(web, "/v1/completions", new { model = Model, prompt = new[] { 1, 2, 3 }, max_tokens = 5, temperature = 0, ignore_eos = true })).GetProperty("choices")[0].GetProperty("text").GetString());
                    break;
                case 4:
                    Assert.NotEmpty((await inference.EmbedAsync(new EmbedRequest { Model = Model, Inputs = { new EmbedInput { Text = "a" } } }, cancellationToken: Cancelled)).Embeddings);
                    break;
                default:
                    var score = new ScoreRequest { Model = Model, TokenIds = new TokenIds { Ids = { 1, 2, 3 } }, ContinuationIds = new TokenIds { Ids = { 4 } } };
                    Assert.Single((await inference.ScoreAsync(score, cancellationToken: Cancelled)).Tokens);
                    score.Model = "nonesuch";
                    var unknown = await Assert.ThrowsAsync<RpcException>(() => inference.ScoreAsync(score, cancellationToken: Cancelled).ResponseAsync);
                    Assert.Equal((StatusCode.NotFound, "nonesuch"), (unknown.StatusCode, unknown.GetRpcStatus()?.GetDetail<Google.Rpc.ResourceInfo>()?.ResourceName));
                    break;
            }
        }
    }

    private static async Task<JsonElement> PostAsync(HttpClient web, string path, object body)
    {
        using var response = await web.PostAsJsonAsync(path, body, Cancelled);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(response.IsSuccessStatusCode, answer.GetRawText());
        return answer;
    }

    [Fact]
    public async Task Its_keys_guard_what_it_forwards_and_count_the_tokens_of_it()
    {
        var (http, grpc) = ($"http://127.0.0.1:{Ports.Free()}", $"http://127.0.0.1:{Ports.Free()}");
        var data = Directory.CreateTempSubdirectory("slm-gateway-");
        try
        {
            await using var gateway = await StartAsync(http, grpc, platform.Grpc, ("Slm:Data", data.FullName));
            using var channel = GrpcChannel.ForAddress(grpc);
            using var web = new HttpClient { BaseAddress = new Uri(http) };
            var access = new AccessService.AccessServiceClient(channel);
            var inference = new InferenceService.InferenceServiceClient(channel);
            var admin = (await access.CreateKeyAsync(new CreateKeyRequest { Name = "boss", Scopes = { "admin" } }, cancellationToken: Cancelled)).Secret;
            var request = GenerationTests.Greedy("llama-untied-f32", [1, 2, 3], 30);
            await KeyTests.RefusedAsync(StatusCode.Unauthenticated, () => inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
            using var refused = await web.PostAsJsonAsync("/v1/inference/llama-untied-f32:generate", new { }, Cancelled);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);

            foreach (var way in new[] { "stream", "once", "json" })
            {
                var key = await access.CreateKeyAsync(new CreateKeyRequest { Name = way, Scopes = { "inference" }, TokensPerMinute = 20 }, GuardedPlatform.With(admin), cancellationToken: Cancelled);
                if (way == "stream")
                {
                    using var call = inference.Generate(request, GuardedPlatform.With(key.Secret), cancellationToken: Cancelled);
                    Assert.Equal(30, await call.ResponseStream.ReadAllAsync(Cancelled).Select(p => p.TokenIds.Count).SumAsync(Cancelled));
                }
                else if (way == "once")
                {
                    await inference.GenerateOnceAsync(request, GuardedPlatform.With(key.Secret), cancellationToken: Cancelled);
                }
                else
                {
                    using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/inference/llama-untied-f32:generate")
                    {
                        Content = JsonContent.Create(new { tokenIds = new { ids = new[] { 1, 2, 3 } }, sampling = new { maxTokens = 30, temperature = 0, ignoreEos = true } }),
                    };
                    message.Headers.Add("Authorization", $"Bearer {key.Secret}");
                    using var answer = await web.SendAsync(message, Cancelled);
                    Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                }

                await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => inference.GenerateOnceAsync(request, GuardedPlatform.With(key.Secret), cancellationToken: Cancelled).ResponseAsync);
                using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
                deadline.CancelAfter(TimeSpan.FromSeconds(60));
                Google.Protobuf.Collections.RepeatedField<AuditEntry> entries;
                do
                    entries = (await access.ListAuditAsync(new ListAuditRequest { KeyId = key.Key.Id }, GuardedPlatform.With(admin), cancellationToken: deadline.Token)).Entries;
                while (entries.Count == 0);
                Assert.Equal((3, 30), (entries[^1].PromptTokens, entries[^1].CompletionTokens));
            }
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    private static Task<WebApplication> StartAsync(string http, string grpc, params string[] inference) => StartAsync(http, grpc, inference, []);

    private static Task<WebApplication> StartAsync(string http, string grpc, string inference, params (string Name, string Value)[] settings) => StartAsync(http, grpc, [inference], settings);

    private static async Task<WebApplication> StartAsync(string http, string grpc, string[] inference, (string Name, string Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Slm:Http"] = http,
            ["Slm:Grpc"] = grpc,
            ["services:tokenizer:grpc:0"] = inference[0],
            ["Logging:LogLevel:Default"] = "Error",
        });
        builder.Configuration.AddInMemoryCollection(inference.Select((address, i) => KeyValuePair.Create<string, string?>($"services:inference:grpc:{i}", address)));
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(s => s.Name, s => (string?)s.Value));
        builder.AddServiceDefaults();
        builder.AddGatewayService();
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapGatewayService();
        await app.StartAsync(Cancelled);
        return app;
    }
}
