using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;
using Slm.AppHost.Local;

namespace Slm.Integration;

public sealed partial class DefaultEndpointTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task Health_answers_over_HTTP(string path)
    {
        var response = await platform.Web.GetAsync(new Uri(path, UriKind.Relative), Cancelled);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("slm.v1.InferenceService")]
    [InlineData("slm.v1.ModelService")]
    [InlineData("slm.v1.ClusterService")]
    [InlineData("slm.v1.TokenizerService")]
    public async Task Health_answers_over_gRPC(string service)
    {
        var health = await new Health.HealthClient(platform.Channel).CheckAsync(new HealthCheckRequest { Service = service }, cancellationToken: Cancelled);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task Reflection_lists_the_services()
    {
        using var call = new ServerReflection.ServerReflectionClient(platform.Channel).ServerReflectionInfo(cancellationToken: Cancelled);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        var names = call.ResponseStream.Current.ListServicesResponse.Service.Select(s => s.Name).ToList();
        await call.RequestStream.CompleteAsync();
        foreach (var name in new[] { "TokenizerService", "InferenceService", "ModelService", "ClusterService", "RouterService", "EvaluatorService", "TrainerService" })
            Assert.Contains($"slm.v1.{name}", names);
    }

    [Fact]
    public async Task Metrics_are_well_formed_Prometheus_text()
    {
        await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy("llama-untied-f32", [1, 2, 3], 5), cancellationToken: Cancelled);
        var response = await platform.Web.GetAsync(new Uri("/metrics", UriKind.Relative), Cancelled);
        Assert.Equal("text/plain", response.Content.Headers.ContentType!.MediaType);
        var types = new Dictionary<string, string>(StringComparer.Ordinal);
        var samples = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var line in (await response.Content.ReadAsStringAsync(Cancelled)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                var parts = line.Split(' ');
                Assert.True(types.TryAdd(parts[2], parts[3]), line);
                continue;
            }
            if (line.StartsWith('#'))
                continue;
            var match = Sample().Match(line);
            Assert.True(match.Success, line);
            Assert.True(samples.TryAdd(match.Groups["series"].Value, double.Parse(match.Groups["value"].Value.Replace("+Inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture)), line);
            var name = match.Groups["name"].Value;
            Assert.True(types.ContainsKey(name) || types.ContainsKey(Suffix().Replace(name, "")), line);
        }
        const string Labels = "{slm_model=\"llama-untied-f32\"}";
        Assert.True(samples[$"slm_engine_tokens_generated_total{Labels}"] >= 5);
        Assert.True(samples[$"slm_engine_tokens_prompt_total{Labels}"] >= 3);
        Assert.Contains($"slm_engine_sequences_running{Labels}", samples.Keys);
        Assert.Equal("histogram", types["gen_ai_server_time_to_first_token_seconds"]);
        Assert.Equal("counter", types["slm_engine_tokens_generated_total"]);
        Assert.Equal("gauge", types["slm_engine_kv_occupancy_ratio"]);
        Assert.Contains(types.Keys, k => k.StartsWith("orleans_", StringComparison.Ordinal));
        var buckets = samples.Where(s => s.Key.StartsWith("gen_ai_server_time_to_first_token_seconds_bucket{slm_model=\"llama-untied-f32\"", StringComparison.Ordinal)).Select(s => s.Value).ToList();
        Assert.Equal(buckets.Order(), buckets);
        Assert.Equal(samples[$"gen_ai_server_time_to_first_token_seconds_count{Labels}"], buckets[^1]);
    }

    /// <summary>Meters of a host end with it, and those of others have the same names.</summary>
    [Fact]
    public async Task Metrics_outlive_another_host_of_the_process()
    {
        var before = await OrleansMetricsAsync();
        var other = LocalPlatform.Build(
        [
            $"--Slm:Http=http://127.0.0.1:{Ports.Free()}", $"--Slm:Grpc=http://127.0.0.1:{Ports.Free()}", $"--Slm:Models={ReferenceModel.Folder}",
            $"--Slm:Trainer:Folder={Path.Combine(Path.GetTempPath(), Path.GetRandomFileName())}", "--Logging:LogLevel:Default=Error", "--Logging:LogLevel:Microsoft.Hosting.Lifetime=Warning",
        ]);
        await other.StartAsync(Cancelled);
        await other.StopAsync(Cancelled);
        await other.DisposeAsync();
        Assert.NotEmpty(before);
        Assert.Superset(before, await OrleansMetricsAsync());
    }

    [Fact]
    public async Task Annotated_calls_answer_JSON()
    {
        var answer = await platform.Web.PostAsJsonAsync(
            new Uri("/v1/inference/llama-untied-f32:generate", UriKind.Relative), new { tokenIds = new { ids = new[] { 1, 2, 3 } }, sampling = new { maxTokens = 4, temperature = 0 } }, Cancelled);
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(4, body.RootElement.GetProperty("tokenIds").GetArrayLength());
        using var models = JsonDocument.Parse(await platform.Web.GetStringAsync(new Uri("/v1/deployments", UriKind.Relative), Cancelled));
        Assert.Contains(models.RootElement.GetProperty("models").EnumerateArray(), m => m.GetProperty("model").GetString() == "llama-untied-f32");
        var missing = await platform.Web.GetAsync(new Uri("/v1/deployments/nonesuch", UriKind.Relative), Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    private async Task<HashSet<string>> OrleansMetricsAsync() =>
        [.. (await platform.Web.GetStringAsync(new Uri("/metrics", UriKind.Relative), Cancelled)).Split('\n').Where(l => l.StartsWith("# TYPE orleans_", StringComparison.Ordinal))];

    [GeneratedRegex(@"^(?<series>(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*=""(\\.|[^""\\])*"",?)*\})?) (?<value>\S+)$")]
    private static partial Regex Sample();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}
