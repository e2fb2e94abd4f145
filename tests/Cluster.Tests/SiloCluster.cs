using System.Diagnostics;
using Grpc.Core;
using Slm.Cluster.Tests.Network;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>Silos in processes of their own and the database that they meet on.</summary>
internal sealed class SiloCluster : IAsyncDisposable
{
    /// <summary>The story teller: a trained model, so that what it says has an end and a stop.</summary>
    public const string Model = "stories";

    /// <summary>A mixture of eight experts in each of two layers, of random numbers.</summary>
    public const string Mixture = "qwen3moe-f32";

    /// <summary>The database's host in a network.</summary>
    public const string DatabaseHost = "pg";

    private readonly Func<string, IEnumerable<string>> _settings;
    private readonly Dictionary<string, NetworkHost> _hosts;
    private readonly string _models;

    private SiloCluster(PostgreSqlServer database, Dictionary<string, NetworkHost> hosts, string models, Func<string, IEnumerable<string>> settings) =>
        (Database, _hosts, _models, _settings) = (database, hosts, models, settings);

    public PostgreSqlServer Database { get; }

    /// <summary>The silos, by name.</summary>
    public Dictionary<string, SiloProcess> Silos { get; } = new(StringComparer.Ordinal);

    /// <summary>Starts so many silos, named a, b, c and so on.</summary>
    public static Task<SiloCluster> StartAsync(int silos, CancellationToken cancellationToken, params string[] settings) =>
        StartAsync(silos, null, ModelFolder, _ => settings, cancellationToken);

    /// <summary>Starts so many silos, named a, b, c and so on.</summary>
    /// <param name="silos">How many.</param>
    /// <param name="network">Gives each silo and the database a host; null: all are on this one.</param>
    /// <param name="models">Folder with models.</param>
    /// <param name="settings">More settings of a silo, by its name.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="program">Folder with their program; null: that of this checkout.</param>
    public static async Task<SiloCluster> StartAsync(
        int silos, HostNetwork? network, string models, Func<string, IEnumerable<string>> settings, CancellationToken cancellationToken, string? program = null)
    {
        string[] names = [.. Enumerable.Range(0, silos).Select(i => ((char)('a' + i)).ToString())];
        var hosts = new Dictionary<string, NetworkHost>(StringComparer.Ordinal);
        PostgreSqlServer database;
        if (network is null)
        {
            database = await PostgreSqlServer.StartAsync(cancellationToken);
        }
        else
        {
            foreach (var name in names)
                hosts[name] = await network.AddAsync(name, cancellationToken);
            var host = hosts[DatabaseHost] = await network.AddAsync(DatabaseHost, cancellationToken);
            database = await PostgreSqlServer.StartAsync(host.Address, host.Command, cancellationToken);
        }

        var cluster = new SiloCluster(database, hosts, models, settings) { Program = program ?? AppContext.BaseDirectory };
        try
        {
            foreach (var name in names)
                cluster.Add(name);
            await Task.WhenAll(cluster.Silos.Values.Select(s => s.ReadyAsync(cancellationToken)));
            await cluster.CompleteAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Folder with the program of silos that are started from now on.</summary>
    public string Program { get; set; } = AppContext.BaseDirectory;

    /// <summary>Starts a silo; it does not wait for it.</summary>
    public SiloProcess Add(string name) => Silos[name] = _hosts.TryGetValue(name, out var host)
        ? SiloProcess.Start(name, Database.ConnectionString, _models, _settings(name), host.Address, host.Command, Program)
        : SiloProcess.Start(name, Database.ConnectionString, _models, _settings(name), program: Program);

    /// <summary>The host of a silo, or of the database, in a network.</summary>
    public NetworkHost Host(string name) => _hosts[name];

    /// <summary>Starts a silo in the place of one that has ended.</summary>
    public async Task<SiloProcess> RestartAsync(string name, CancellationToken cancellationToken)
    {
        await Silos[name].DisposeAsync();
        var silo = Add(name);
        await silo.ReadyAsync(cancellationToken);
        return silo;
    }

    /// <summary>Waits until every silo knows of all that run.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        foreach (var silo in Silos.Values.Where(s => !s.HasExited))
        {
            while ((await silo.Cluster.ListSilosAsync(new ListSilosRequest(), cancellationToken: cancellationToken)).Silos.Count(s => s.State == SiloState.Active) < Silos.Values.Count(s => !s.HasExited))
                await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>
    /// Waits for a silo that the others may have given up: either it belongs to them again, or Orleans has ended its process, which is
    /// then started anew as a supervisor does.
    /// </summary>
    /// <returns>What happened.</returns>
    public async Task<string> RejoinAsync(string name, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (Silos[name].HasExited)
            {
                var code = Silos[name].ExitCode;
                await RestartAsync(name, cancellationToken);
                await CompleteAsync(cancellationToken);
                return $"silo {name} ended by itself with code {code} and was started anew";
            }

            // The cluster is complete without it, too, if it has ended meanwhile.
            if (await IsCompleteAsync(cancellationToken) && !Silos[name].HasExited)
                return $"silo {name} belonged to the cluster again";
            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Waits until every silo knows of all that run, and of no other: those that ended are not taken for members any more.</summary>
    public async Task WholeAsync(CancellationToken cancellationToken)
    {
        while (!await IsCompleteAsync(cancellationToken))
            await Task.Delay(50, cancellationToken);
    }

    /// <summary>True if every silo knows of all that run, and of no other.</summary>
    public async Task<bool> IsCompleteAsync(CancellationToken cancellationToken)
    {
        var running = Silos.Values.Where(s => !s.HasExited).ToArray();
        foreach (var silo in running)
        {
            try
            {
                var known = await silo.Cluster.ListSilosAsync(new ListSilosRequest(), deadline: DateTime.UtcNow.AddSeconds(10), cancellationToken: cancellationToken);
                if (!known.Silos.Select(s => s.Silo_).Order(StringComparer.Ordinal).SequenceEqual(running.Select(s => s.Name).Order(StringComparer.Ordinal)))
                    return false;
            }
            catch (RpcException) when (!cancellationToken.IsCancellationRequested)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Waits until nothing is left of what has been lost, moved or cancelled: no sequence runs or waits, none holds KV blocks, and the
    /// silos hold exactly the parts that the deployment consists of.
    /// </summary>
    public static async Task NothingLeftAsync(SiloProcess asked, CancellationToken cancellationToken)
    {
        string[] held, wanted;
        LoadFigures load;
        long used;
        var waiting = Stopwatch.StartNew();
        do
        {
            var description = await asked.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: cancellationToken);
            (load, used) = (description.Load ?? new LoadFigures(), description.Memory?.KvUsedBytes ?? 0);
            wanted = [.. description.Stages.Select(s => $"{s.SiloName}: stage {s.Stage}, layers {s.FirstLayer}-{s.EndLayer - 1}").Order(StringComparer.Ordinal)];
            var silos = await asked.Cluster.ListSilosAsync(new ListSilosRequest(), cancellationToken: cancellationToken);
            held = [.. silos.Silos.SelectMany(s => s.Parts.Where(p => p.Part != "coordinator").Select(p => $"{s.Silo_}: {p.Part}")).Order(StringComparer.Ordinal)];
            if (load.RunningSequences + load.WaitingSequences == 0 && used == 0 && held.SequenceEqual(wanted, StringComparer.Ordinal))
                return;
            await Task.Delay(100, cancellationToken);
        }
        while (waiting.Elapsed < TimeSpan.FromSeconds(60));
        Assert.Fail($"Left after a minute: {load.RunningSequences} running, {load.WaitingSequences} waiting, {used} bytes of KV; held [{string.Join("; ", held)}], wanted [{string.Join("; ", wanted)}].");
    }

    /// <summary>Waits until a silo does not take another for a member any more.</summary>
    public static async Task ForgetAsync(string name, SiloProcess asked, CancellationToken cancellationToken)
    {
        while (true)
        {
            var known = await asked.Cluster.ListSilosAsync(new ListSilosRequest(), cancellationToken: cancellationToken);
            if (known.Silos.All(s => s.State == SiloState.Active && s.Silo_ != name))
                return;
            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Loads the model anew: nothing of what was computed before is left in its cache, which would hide what has to be computed again.</summary>
    public async Task<ModelParts> ReloadAsync(CancellationToken cancellationToken)
    {
        await CompleteAsync(cancellationToken);
        await Silos["a"].Models.UnloadAsync(new UnloadModelRequest { Model = Model }, cancellationToken: cancellationToken);
        return await LoadAsync(cancellationToken);
    }

    /// <summary>Loads the model in two stages, on silos b and c; clients are to be connected to a.</summary>
    public async Task<ModelParts> LoadAsync(CancellationToken cancellationToken)
    {
        var entry = Silos["a"];
        var layers = (await entry.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: cancellationToken)).Layers;
        var map = $"0-{(layers / 2) - 1}@b,{layers / 2}-{layers - 1}@c";
        await entry.Models.LoadAsync(new LoadModelRequest { Model = Model, Placement = new Placement { Map = map } }, cancellationToken: cancellationToken);
        Assert.Equal(["b", "c"], await StagesAsync(entry, cancellationToken));
        return new ModelParts("b", "c", entry);
    }

    /// <summary>Loads the mixture on b, its experts on c and d; clients are to be connected to a.</summary>
    public async Task<ModelParts> LoadMixtureAsync(CancellationToken cancellationToken)
    {
        var entry = Silos["a"];
        await entry.Models.LoadAsync(new LoadModelRequest { Model = Mixture, Placement = new Placement { Map = "0-1@b;experts:0-3@c,4-7@d" } }, cancellationToken: cancellationToken);
        var stage = Assert.Single((await entry.Models.DescribeAsync(new DescribeModelRequest { Model = Mixture }, cancellationToken: cancellationToken)).Stages);
        Assert.Equal(["b", "c", "d"], [stage.SiloName, .. stage.ExpertGroups.Select(g => g.SiloName)]);
        return new ModelParts("b", "b", entry) { Experts = "c" };
    }

    /// <summary>What a model has done since it was loaded. Where its grain was lost, another takes the deployment over, which may be under way.</summary>
    public static async Task<LoadFigures> LoadFiguresAsync(SiloProcess asked, string model, CancellationToken cancellationToken)
    {
        while (true)
        {
            if ((await asked.Models.DescribeAsync(new DescribeModelRequest { Model = model }, cancellationToken: cancellationToken)).Load is { } load)
                return load;
            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Names of the silos of the model's stages.</summary>
    public static async Task<string[]> StagesAsync(SiloProcess asked, CancellationToken cancellationToken) =>
        [.. (await asked.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: cancellationToken)).Stages.Select(s => s.SiloName)];

    /// <summary>Everything that the silos have written.</summary>
    public string Logs => string.Join('\n', Silos.Select(s => $"== {s.Key}\n{s.Value.Log}"));

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in Silos.Values)
            await silo.DisposeAsync();
        await Database.DisposeAsync();
    }

    public static string ModelFolder { get; } = Path.Combine(Checkout.Root, "infra", "models");

    /// <summary>Where the mixture is.</summary>
    public static string MixtureFolder { get; } = Path.Combine(Checkout.Root, "tests", "data", "gguf");
}

/// <summary>Who does what.</summary>
/// <param name="Stage">Name of the silo with the first stage.</param>
/// <param name="Coordinator">Name of the silo with the last stage, which coordinates.</param>
/// <param name="Entry">The silo that clients are connected to.</param>
internal sealed record ModelParts(string Stage, string Coordinator, SiloProcess Entry)
{
    /// <summary>Name of a silo that holds nothing but experts; empty if there is none.</summary>
    public string Experts { get; init; } = "";
}
