using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>Silos in processes of their own and the database that they meet on.</summary>
internal sealed class SiloCluster : IAsyncDisposable
{
    /// <summary>The story teller: a trained model, so that what it says has an end and a stop.</summary>
    public const string Model = "stories";

    private readonly string[] _settings;

    private SiloCluster(PostgreSqlServer database, string[] settings) => (Database, _settings) = (database, settings);

    public PostgreSqlServer Database { get; }

    /// <summary>The silos, by name.</summary>
    public Dictionary<string, SiloProcess> Silos { get; } = new(StringComparer.Ordinal);

    /// <summary>Starts so many silos, named a, b, c and so on.</summary>
    public static async Task<SiloCluster> StartAsync(int silos, CancellationToken cancellationToken, params string[] settings)
    {
        var cluster = new SiloCluster(await PostgreSqlServer.StartAsync(cancellationToken), settings);
        try
        {
            for (var i = 0; i < silos; i++)
                cluster.Add(((char)('a' + i)).ToString());
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

    /// <summary>Starts a silo; it does not wait for it.</summary>
    public SiloProcess Add(string name) => Silos[name] = SiloProcess.Start(name, Database.ConnectionString, ModelFolder, _settings);

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

    private static string ModelFolder { get; } = Path.Combine(Root(), "infra", "models");

    private static string Root()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "SlmPlatform.sln")))
                return folder;
        }

        throw new InvalidOperationException("The tests run outside a checkout.");
    }
}

/// <summary>Who does what.</summary>
/// <param name="Stage">Name of the silo with the first stage.</param>
/// <param name="Coordinator">Name of the silo with the last stage, which coordinates.</param>
/// <param name="Entry">The silo that clients are connected to.</param>
internal sealed record ModelParts(string Stage, string Coordinator, SiloProcess Entry);
