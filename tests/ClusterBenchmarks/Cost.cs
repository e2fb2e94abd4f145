using System.Diagnostics;
using System.Globalization;
using Slm.Benchmarks;
using Slm.Cluster.Tests;
using Slm.Cluster.Tests.Network;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>
/// What it costs to spread a model over silos: decoding in one process, in two and in four stages, in turns. All stages share the
/// processors of this machine and work one after the other, so each silo has as many threads as the one process.
/// </summary>
internal sealed class Cost(string folder, IReadOnlyList<string> models, int rounds, int threads)
{
    private static readonly int[] StageCounts = [1, 2, 4];
    private static readonly int[] StreamCounts = [1, 8];

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var why = await HostNetwork.WhyNotAsync(cancellationToken);
        await using var network = why is null ? await HostNetwork.CreateAsync(cancellationToken) : null;
        var links = Directory.CreateDirectory(Path.Combine(folder, "cluster")).FullName;
        var chosen = SyntheticModel.All.Where(m => models.Contains(m.Name)).ToArray();
        foreach (var model in chosen)
        {
            var path = model.Write("Q4_0", folder);
            foreach (var stages in StageCounts)
                await LinkAsync(path, Path.Combine(links, $"{NameOf(model, stages)}.gguf"), cancellationToken);
        }

        await using var cluster = await SiloCluster.StartAsync(
            4, network, links, _ => [$"Slm:Inference:Threads={threads}", "Slm:Inference:KvCacheBytes=67108864", "Slm:Inference:PrefixSharing=false"], cancellationToken);

        // Each measures its machine when it starts; all at once they would measure each other.
        foreach (var name in cluster.Silos.Keys.ToArray())
        {
            await cluster.Silos[name].KillAsync();
            await cluster.RestartAsync(name, cancellationToken);
        }

        await cluster.WholeAsync(cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} threads each, {rounds} rounds in turns, medians; silos {(network is null ? "on one host" : "on hosts of their own")}; {DateTime.UtcNow:d MMMM yyyy}, {Cpu()}, {Environment.ProcessorCount} processors"));
        Console.WriteLine();
        Console.WriteLine("| model | streams | stages | of one process | tok/s | bytes per row sent by the first silo | rows as F32 | predicted tok/s | error |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var model in chosen)
            await MeasureAsync(cluster, network is not null, model, cancellationToken);
        return 0;
    }

    private async Task MeasureAsync(SiloCluster cluster, bool counts, SyntheticModel model, CancellationToken cancellationToken)
    {
        var entries = new Dictionary<int, (SiloProcess Silo, double Predicted)>();
        foreach (var stages in StageCounts)
        {
            var name = NameOf(model, stages);
            var map = string.Join(',', Enumerable.Range(0, stages).Select(s => $"{s * model.Layers / stages}-{((s + 1) * model.Layers / stages) - 1}@{(char)('a' + s)}"));
            var models = cluster.Silos["a"].Models;
            await models.LoadAsync(new LoadModelRequest { Model = name, Placement = new Placement { Map = map } }, cancellationToken: cancellationToken);
            var description = await models.DescribeAsync(new DescribeModelRequest { Model = name }, cancellationToken: cancellationToken);
            Assert.Equal(stages, description.Stages.Count);
            entries[stages] = (cluster.Silos[description.Stages[^1].SiloName], description.Prediction?.DecodeTokensPerSecond ?? 0);
        }

        foreach (var streams in StreamCounts)
        {
            var rates = StageCounts.ToDictionary(s => s, _ => new List<double>());
            var bytes = StageCounts.ToDictionary(s => s, _ => new List<double>());
            for (var round = -1; round < rounds; round++)
            {
                foreach (var stages in StageCounts)
                {
                    var sent = counts ? Sent(cluster.Host("a")) : 0;
                    var (rate, rows) = await DecodeAsync(entries[stages].Silo, NameOf(model, stages), streams, Tokens(model, streams), cancellationToken);

                    // The first round warms up.
                    if (round < 0)
                        continue;
                    rates[stages].Add(rate);
                    if (counts)
                        bytes[stages].Add((Sent(cluster.Host("a")) - sent) / (double)rows);
                }
            }

            var one = Median(rates[1]);
            foreach (var stages in StageCounts)
            {
                var rate = Median(rates[stages]);
                var wire = stages > 1 && counts ? string.Create(CultureInfo.InvariantCulture, $"{Median(bytes[stages]):0} | {4 * model.Hidden}") : "- | -";
                var predicted = entries[stages].Predicted;
                var error = streams == 1 && predicted > 0 ? string.Create(CultureInfo.InvariantCulture, $"{predicted:0.0} | {100 * ((predicted / rate) - 1):+0;-0} %") : "- | -";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {model.Name} | {streams} | {stages} | **{rate / one:0.000}** | {rate:0.0} | {wire} | {error} |"));
            }
        }

        foreach (var stages in StageCounts)
            await cluster.Silos["a"].Models.UnloadAsync(new UnloadModelRequest { Model = NameOf(model, stages) }, cancellationToken: cancellationToken);
    }

    /// <summary>Tokens per second while all streams decode, and the rows that went through the stages in all.</summary>
    private static async Task<(double Rate, long Rows)> DecodeAsync(SiloProcess silo, string model, int streams, int tokens, CancellationToken cancellationToken)
    {
        var pieces = await Task.WhenAll(Enumerable.Range(0, streams).Select(i => ReadAsync(silo, model, i, tokens, cancellationToken)));
        var from = pieces.Max(p => p.Pieces[0].At);
        var to = pieces.Min(p => p.Pieces[^1].At);
        var decoded = pieces.Sum(p => p.Pieces.Where(piece => piece.At > from && piece.At <= to).Sum(piece => piece.Tokens));
        return (decoded / Stopwatch.GetElapsedTime(from, to).TotalSeconds, pieces.Sum(p => p.Rows));
    }

    private static async Task<(List<(long At, int Tokens)> Pieces, long Rows)> ReadAsync(SiloProcess silo, string model, int number, int tokens, CancellationToken cancellationToken)
    {
        var request = new GenerateRequest
        {
            Model = model,
            Text = $"a{number}",
            Sampling = new SamplingOptions { MaxTokens = tokens, IgnoreEos = true, Temperature = 1, Seed = (ulong)number },
        };
        var pieces = new List<(long At, int Tokens)>();
        Usage? usage = null;
        using var call = silo.Inference.Generate(request, cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            pieces.Add((Stopwatch.GetTimestamp(), call.ResponseStream.Current.TokenIds.Count));
            usage = call.ResponseStream.Current.Usage ?? usage;
        }

        return (pieces, usage!.PromptTokens + usage.CompletionTokens - 1);
    }

    private static int Tokens(SyntheticModel model, int streams) => model.Hidden > 1024 ? (streams == 1 ? 40 : 24) : streams == 1 ? 200 : 100;

    private static string NameOf(SyntheticModel model, int stages) => $"{model.Name}-in-{stages}";

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>Bytes that a host has sent: what the bridge's end of its cable has received.</summary>
    private static long Sent(NetworkHost host) => long.Parse(File.ReadAllText($"/sys/class/net/{host.Link}/statistics/rx_bytes"), CultureInfo.InvariantCulture);

    /// <summary>The same file under another name, which is another model to silos.</summary>
    private static async Task LinkAsync(string file, string link, CancellationToken cancellationToken)
    {
        using var process = Process.Start("ln", ["-f", file, link]);
        await process.WaitForExitAsync(cancellationToken);
        Assert.Equal(0, process.ExitCode);
    }

    private static string Cpu() => File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown processor";
}
