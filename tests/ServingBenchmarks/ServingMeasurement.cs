using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Slm.AppHost.Local;
using Slm.V1;

namespace Slm.ServingBenchmarks;

/// <summary>
/// The platform in this process under load: requests of mixed lengths arrive as a Poisson process, at most so many are in
/// flight, and each token's arrival at a gRPC client is timed. Client and server share the processors.
/// </summary>
internal static class ServingMeasurement
{
    private const int Seed = 20;

    /// <summary>Measures each number of streams, prints a table, and writes JSON if asked to.</summary>
    /// <param name="path">Model file.</param>
    /// <param name="levels">Numbers of streams.</param>
    /// <param name="perStream">Requests per stream, at least 8 in all.</param>
    /// <param name="json">File for the results; null: none. The requests go to a file beside it, for Peer/serving.mjs.</param>
    /// <param name="settings">Further settings of the platform, such as <c>--Slm:Inference:ChunkTokens=64</c>.</param>
    public static async Task<int> RunAsync(string path, int[] levels, int perStream, string? json, string[] settings)
    {
        var address = $"http://127.0.0.1:{FreePort()}";
        var full = Path.GetFullPath(path);
        await using var app = LocalPlatform.Build(
            [
                $"--Slm:Http=http://127.0.0.1:{FreePort()}", $"--Slm:Grpc={address}", $"--Slm:Models={Path.GetDirectoryName(full)}",
                "--Logging:LogLevel:Default=Warning", .. settings,
            ]);
        await app.StartAsync();
        using var channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true } });
        var client = new InferenceService.InferenceServiceClient(channel);
        var models = new ModelService.ModelServiceClient(channel);
        var model = Path.GetFileNameWithoutExtension(full);
        await models.LoadAsync(new LoadModelRequest { Model = model });
        var vocabulary = (await models.DescribeAsync(new DescribeModelRequest { Model = model })).VocabSize;

        // Alone, to know the pace: the arrivals of n streams come at the rate n of them could serve alone.
        var alone = await LoadAsync(client, model, RequestMix.Plan(6, 1e6, vocabulary, Seed), 1, 0);
        alone = await LoadAsync(client, model, RequestMix.Plan(8, 1e6, vocabulary, Seed + 1), 1, 0);
        var pace = alone.Requests / alone.Seconds;
        var results = new List<LoadResult>();
        var plans = new List<LoadPlan>();
        Console.WriteLine("streams  requests   out tok/s    in tok/s | first token p50     p95     p99 ms | per token p50     p95     p99 ms");
        foreach (var streams in levels)
        {
            var rate = pace * streams;
            var plan = RequestMix.Plan(Math.Max(8, streams * perStream), rate, vocabulary, Seed + 100 + streams);
            plans.Add(new LoadPlan(streams, plan));
            var result = await LoadAsync(client, model, plan, streams, rate);
            results.Add(result);
            var (first, next) = (result.FirstTokenMs, result.InterTokenMs);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{streams,7} {result.Requests,9} {result.OutputTokensPerSecond,11:0.0} {result.PromptTokensPerSecond,11:0.0} | {first.P50,15:0.0} {first.P95,7:0.0} {first.P99,7:0.0}    | {next.P50,13:0.00} {next.P95,7:0.00} {next.P99,7:0.00}"));
        }

        if (json is not null)
        {
            await File.WriteAllTextAsync(json, JsonSerializer.Serialize(results, LoadResultJson.Default.ListLoadResult));
            await File.WriteAllTextAsync($"{json}.plan", JsonSerializer.Serialize(plans, LoadResultJson.Default.ListLoadPlan));
        }

        await app.StopAsync();
        return 0;
    }

    private static async Task<LoadResult> LoadAsync(InferenceService.InferenceServiceClient client, string model, PlannedRequest[] plan, int streams, double rate)
    {
        using var free = new SemaphoreSlim(streams);
        var gate = new Lock();
        List<double> waits = [], firsts = [], nexts = [];
        long generated = 0;
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(plan.Select(async request =>
        {
            var early = TimeSpan.FromSeconds(request.Arrival) - clock.Elapsed;
            if (early > TimeSpan.Zero)
                await Task.Delay(early);
            var arrived = clock.Elapsed;
            await free.WaitAsync();
            try
            {
                var sent = clock.Elapsed;
                var last = sent;
                var count = 0;
                List<double> gaps = [];
                using var call = client.Generate(new GenerateRequest
                {
                    Model = model,
                    TokenIds = new TokenIds { Ids = { request.Prompt } },
                    Sampling = new SamplingOptions { MaxTokens = request.OutputTokens, Temperature = 0, IgnoreEos = true, SkipSpecialTokens = false },
                });
                TimeSpan? first = null;
                await foreach (var piece in call.ResponseStream.ReadAllAsync())
                {
                    var now = clock.Elapsed;
                    if (piece.TokenIds.Count == 0)
                        continue;
                    if (first is null)
                        first = now - sent;
                    else
                        gaps.AddRange(Enumerable.Repeat((now - last).TotalMilliseconds / piece.TokenIds.Count, piece.TokenIds.Count));
                    last = now;
                    count += piece.TokenIds.Count;
                }

                lock (gate)
                {
                    waits.Add((sent - arrived).TotalMilliseconds);
                    firsts.Add(first!.Value.TotalMilliseconds);
                    nexts.AddRange(gaps);
                    generated += count;
                }
            }
            finally
            {
                free.Release();
            }
        }));
        var seconds = clock.Elapsed.TotalSeconds - plan[0].Arrival;
        return new LoadResult(
            streams, plan.Length, Math.Round(rate, 3), Math.Round(seconds, 3), Math.Round(generated / seconds, 2),
            Math.Round(plan.Sum(r => r.Prompt.Length) / seconds, 2), Percentiles.Of(waits), Percentiles.Of(firsts), Percentiles.Of(nexts));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
