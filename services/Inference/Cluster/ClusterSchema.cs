using Npgsql;

namespace Slm.Inference.Cluster;

/// <summary>Creates the tables where the cluster meets on PostgreSQL: Orleans' membership, whose packages ship none, and our own.</summary>
internal sealed class ClusterSchema(IConfiguration configuration) : IHostedLifecycleService
{
    private static readonly string[] Scripts = ["orleans-postgresql.sql", "deployments-postgresql.sql"];

    /// <summary>Any number all silos agree on: only one of them creates the tables.</summary>
    private const long LockKey = 0x536C6D4F726C;

    /// <summary>True if the configuration lets silos meet on PostgreSQL.</summary>
    public static bool IsUsed(IConfiguration configuration) =>
        configuration["Orleans:Clustering:ProviderType"] == "AdoNet" && configuration["Orleans:Clustering:Invariant"] == "Npgsql";

    /// <summary>How to reach the database.</summary>
    /// <exception cref="ServiceDefaults.OptionException">There is no connection string.</exception>
    public static string ConnectionString(IConfiguration configuration)
    {
        var name = configuration["Orleans:Clustering:ConnectionName"];
        var connectionString = configuration["Orleans:Clustering:ConnectionString"] ?? (name is null ? null : configuration.GetConnectionString(name));
        return string.IsNullOrEmpty(connectionString)
            ? throw new ServiceDefaults.OptionException("Orleans:Clustering:ConnectionName", name, "name a connection string of ConnectionStrings")
            : connectionString;
    }

    /// <summary>Creates what is missing, before the silo starts.</summary>
    /// <exception cref="ServiceDefaults.OptionException">There is no connection string.</exception>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var connectionString = ConnectionString(configuration);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var exclusive = new NpgsqlCommand("SELECT pg_advisory_xact_lock($1)", connection, transaction) { Parameters = { new() { Value = LockKey } } };
        await exclusive.ExecuteNonQueryAsync(cancellationToken);
        foreach (var script in Scripts)
        {
            await using var stream = typeof(ClusterSchema).Assembly.GetManifestResourceStream(script)!;
            using var reader = new StreamReader(stream);
            await using var create = new NpgsqlCommand(await reader.ReadToEndAsync(cancellationToken), connection, transaction);
            await create.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
