using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Reflection;
using System.Text;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Slm.Integration;

/// <summary>Each service in a process of its own, with the settings an Aspire composition gives it.</summary>
public sealed class ServiceAloneTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Tokenizer")]
    [InlineData("Inference")]
    [InlineData("Router")]
    [InlineData("Evaluator")]
    [InlineData("Trainer")]
    [InlineData("Gateway")]
    public async Task A_service_runs_alone_on_the_settings_it_is_given(string service)
    {
        await using var collector = await Collector.StartAsync();
        var (http, grpc) = (Ports.Free(), Ports.Free());
        var configuration = typeof(ServiceAloneTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var program = Path.Combine(Checkout.Root, "services", service, "bin", configuration, "net10.0", $"Slm.{service}.dll");
        var name = service.ToLowerInvariant();
        var jobs = Directory.CreateTempSubdirectory("slm-jobs-").FullName;
        var start = new ProcessStartInfo("dotnet", [program])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["Slm__Http"] = $"http://*:{http}",
                ["Slm__Grpc"] = $"http://*:{grpc}",
                ["Slm__Models"] = ReferenceModel.Folder,
                ["Slm__Trainer__Folder"] = jobs,
                // Overridden by the two above, as in Kubernetes.
                ["HTTP_PORTS"] = $"{http}",
                ["OTEL_SERVICE_NAME"] = name,
                ["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=one",
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "200",
                ["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true",
                ["services__tokenizer__grpc__0"] = "http://127.0.0.1:1",
                ["services__inference__grpc__0"] = "http://127.0.0.1:1",
            },
        };
        using var process = Process.Start(start)!;
        var output = new ConcurrentQueue<string?>();
        process.OutputDataReceived += (_, line) => output.Enqueue(line.Data);
        process.ErrorDataReceived += (_, line) => output.Enqueue(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            using var web = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}") };
            await HealthyAsync(web, process, output);
            using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{grpc}");
            var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancelled);
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
            Assert.Equal(HttpStatusCode.OK, (await web.GetAsync(new Uri("/alive", UriKind.Relative), Cancelled)).StatusCode);
            var exported = await collector.ReceivedAsync("/v1/metrics", Cancelled);
            Assert.Contains(name, Encoding.UTF8.GetString(exported), StringComparison.Ordinal);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            Directory.Delete(jobs, recursive: true);
        }
    }

    private static async Task HealthyAsync(HttpClient web, Process process, ConcurrentQueue<string?> output)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromMinutes(2));
        while (true)
        {
            if (process.HasExited)
                Assert.Fail($"It ended with code {process.ExitCode}:\n{string.Join('\n', output)}");
            try
            {
                var response = await web.GetAsync(new Uri("/health", UriKind.Relative), deadline.Token);
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            await Task.Delay(20, deadline.Token);
        }
    }

    /// <summary>Takes what OTLP exporters send.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentDictionary<string, TaskCompletionSource<byte[]>> _received = new(StringComparer.Ordinal);

        private Collector(string address)
        {
            Address = address;
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls(address);
            _app = builder.Build();
            _app.Run(async context =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body, context.RequestAborted);
                Of(context.Request.Path).TrySetResult(body.ToArray());
                context.Response.ContentType = "application/x-protobuf";
            });
        }

        public string Address { get; }

        public static async Task<Collector> StartAsync()
        {
            var collector = new Collector($"http://127.0.0.1:{Ports.Free()}");
            await collector._app.StartAsync(Cancelled);
            return collector;
        }

        public Task<byte[]> ReceivedAsync(string path, CancellationToken cancellationToken) => Of(path).Task.WaitAsync(TimeSpan.FromMinutes(1), cancellationToken);

        public ValueTask DisposeAsync() => _app.DisposeAsync();

        private TaskCompletionSource<byte[]> Of(string path) => _received.GetOrAdd(path, _ => new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
