using System.Diagnostics;
using System.Globalization;
using Slm.Cluster.Tests;
using Slm.Cluster.Tests.Network;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>Silos whose placements are compared: each on a host of its own where the machine permits it, each with its own threads.</summary>
internal sealed class CostCluster : IAsyncDisposable
{
    private readonly HostNetwork? _network;
    private readonly DelaySwitch? _delays;
    private readonly SiloCluster _cluster;
    private readonly string _models;

    private CostCluster(HostNetwork? network, DelaySwitch? delays, SiloCluster cluster, string models) => (_network, _delays, _cluster, _models) = (network, delays, cluster, models);

    /// <summary>Starts silos a, b, c and so on.</summary>
    /// <param name="silos">How many.</param>
    /// <param name="folder">Folder of the models' files; a folder beside them gets the names that silos know them by.</param>
    /// <param name="threads">Threads of each.</param>
    /// <param name="settings">More settings, <c>Section:Name=value</c>.</param>
    public static Task<CostCluster> StartAsync(int silos, string folder, int threads, CancellationToken cancellationToken, params string[] settings) =>
        StartAsync(silos, folder, threads, null, cancellationToken, settings);

    /// <inheritdoc cref="StartAsync(int, string, int, CancellationToken, string[])"/>
    /// <param name="delay">Time that every packet between silos takes, one way; null: none.</param>
    /// <exception cref="InvalidOperationException">There can be no hosts to be apart.</exception>
    public static async Task<CostCluster> StartAsync(int silos, string folder, int threads, TimeSpan? delay, CancellationToken cancellationToken, params string[] settings)
    {
        var why = await HostNetwork.WhyNotAsync(cancellationToken);
        if (delay is not null && why is not null)
            throw new InvalidOperationException($"Silos cannot be apart: {why}");
        var network = why is null ? await HostNetwork.CreateAsync(cancellationToken) : null;
        var delays = delay is { } time ? new DelaySwitch(time) : null;
        if (delays is not null)
        {
            network!.Plug = (host, token) => delays.PlugAsync(host, delayed: !host.Namespace.EndsWith($"-{SiloCluster.DatabaseHost}", StringComparison.Ordinal), token);
            await delays.JoinAsync(network.Bridge, cancellationToken);
        }

        var models = Directory.CreateDirectory(Path.Combine(folder, "cluster")).FullName;
        string[] all = [$"Slm:Inference:Threads={threads}", "Slm:Inference:KvCacheBytes=536870912", .. settings];
        var cluster = await SiloCluster.StartAsync(silos, network, models, _ => all, cancellationToken);
        var made = new CostCluster(network, delays, cluster, models);
        try
        {
            // Each measures its machine when it starts; all at once they would measure each other.
            foreach (var name in cluster.Silos.Keys.ToArray())
            {
                await cluster.Silos[name].KillAsync();
                await cluster.RestartAsync(name, cancellationToken);
            }

            await cluster.WholeAsync(cancellationToken);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>What a table's first line is to say of where it was measured.</summary>
    public string Where => string.Create(
        CultureInfo.InvariantCulture, $"silos {(_network is null ? "on one host" : "on hosts of their own")}; {DateTime.UtcNow:d MMMM yyyy}, {Cpu()}, {Environment.ProcessorCount} processors");

    /// <summary>Loads a model, under a name of its own, as the map says. Clients are to ask the silo of the last stage, which coordinates.</summary>
    /// <param name="label">What tables call the placement.</param>
    /// <param name="file">The model's file.</param>
    /// <param name="map">Which layers and experts are where.</param>
    public async Task<Variant> LoadAsync(string label, string file, string map, CancellationToken cancellationToken)
    {
        var name = $"{Path.GetFileNameWithoutExtension(file)}-{label}".Replace(' ', '-');
        using (var link = Process.Start("ln", ["-f", file, Path.Combine(_models, name + ".gguf")]))
        {
            await link.WaitForExitAsync(cancellationToken);
            Assert.Equal(0, link.ExitCode);
        }

        var models = _cluster.Silos["a"].Models;
        await models.LoadAsync(new LoadModelRequest { Model = name, Placement = new Placement { Map = map } }, cancellationToken: cancellationToken);
        var description = await models.DescribeAsync(new DescribeModelRequest { Model = name }, cancellationToken: cancellationToken);
        return new Variant(label, name, _cluster.Silos[description.Stages[^1].SiloName], description);
    }

    /// <summary>
    /// Has all silos measure their machines and links again, and adds what is predicted from that: machines of others are not as fast
    /// at one time as at another, which is not the cost model's fault.
    /// </summary>
    public async Task PredictAsync(IEnumerable<Variant> variants, CancellationToken cancellationToken)
    {
        var silo = _cluster.Silos["a"];
        await silo.Cluster.ListSilosAsync(new ListSilosRequest { Measure = true }, cancellationToken: cancellationToken);
        foreach (var variant in variants)
        {
            var moved = await silo.Cluster.RebalanceAsync(new RebalanceRequest { Model = variant.Model }, cancellationToken: cancellationToken);
            Assert.Empty(moved.Moves);
            variant.Predictions.Add((await silo.Models.DescribeAsync(new DescribeModelRequest { Model = variant.Model }, cancellationToken: cancellationToken)).Prediction.DecodeTokensPerSecond);
        }
    }

    /// <summary>Unloads what was loaded.</summary>
    public async Task UnloadAsync(IEnumerable<Variant> variants, CancellationToken cancellationToken)
    {
        foreach (var variant in variants)
            await _cluster.Silos["a"].Models.UnloadAsync(new UnloadModelRequest { Model = variant.Model }, cancellationToken: cancellationToken);
    }

    /// <summary>Bytes that a silo's host has sent: what the bridge's end of its cable has received. Null where silos share a host, or have no such cable.</summary>
    public long? Sent(string silo) => _network is null || _delays is not null
        ? null
        : long.Parse(File.ReadAllText($"/sys/class/net/{_cluster.Host(silo).Link}/statistics/rx_bytes"), CultureInfo.InvariantCulture);

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _delays?.Dispose();
        if (_network is not null)
            await _network.DisposeAsync();
    }

    private static string Cpu() => File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1] ?? "unknown processor";
}

/// <summary>A model as it was placed.</summary>
/// <param name="Label">What tables call the placement.</param>
/// <param name="Model">Its name.</param>
/// <param name="Entry">The silo that clients ask.</param>
/// <param name="Description">What the cluster says of it.</param>
internal sealed record Variant(string Label, string Model, SiloProcess Entry, ModelDescription Description)
{
    /// <summary>Tokens per second of one stream that the cost model has predicted behind <see cref="Decoding.Context"/> positions, between the rounds.</summary>
    public List<double> Predictions { get; } = [];

    /// <summary>Their median.</summary>
    public double Predicted => Decoding.Median(Predictions);
}
