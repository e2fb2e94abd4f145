using Google.Protobuf;
using Npgsql;
using NpgsqlTypes;
using Polly;
using Polly.Retry;
using Slm.V1;

namespace Slm.Inference.Cluster;

/// <summary>Deployments in the database that the cluster meets on (infra/database/deployments-postgresql.sql).</summary>
internal sealed class PostgreSqlDeploymentStore(NpgsqlDataSource database) : IDeploymentStore
{
    /// <summary>A database that is started again is there within seconds.</summary>
    private static readonly ResiliencePipeline Patience = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions
    {
        ShouldHandle = new PredicateBuilder().Handle<NpgsqlException>(e => e is not PostgresException || e.IsTransient),
        BackoffType = DelayBackoffType.Exponential,
        Delay = TimeSpan.FromMilliseconds(100),
        MaxDelay = TimeSpan.FromSeconds(2),
        MaxRetryAttempts = 8,
    }).Build();

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public async Task<DeploymentRecord?> ReadAsync(string model, CancellationToken cancellationToken) => await Patience.ExecuteAsync(async token =>
    {
        await using var command = database.CreateCommand("SELECT model, settings, replicas, adapters FROM slm_deployment WHERE model = $1");
        command.Parameters.Add(new() { Value = model });
        return (await ReadAsync(command, token)).SingleOrDefault();
    }, cancellationToken);

    public async Task<IReadOnlyList<DeploymentRecord>> ListAsync(CancellationToken cancellationToken) => await Patience.ExecuteAsync(async token =>
    {
        await using var command = database.CreateCommand("SELECT model, settings, replicas, adapters FROM slm_deployment ORDER BY model");
        return await ReadAsync(command, token);
    }, cancellationToken);

    public async Task WriteAsync(DeploymentRecord record, CancellationToken cancellationToken) => await Patience.ExecuteAsync(async token =>
    {
        await using var command = database.CreateCommand("""
            INSERT INTO slm_deployment (model, settings, replicas, adapters, changed) VALUES ($1, $2, $3, $4, now())
            ON CONFLICT (model) DO UPDATE SET settings = excluded.settings, replicas = excluded.replicas, adapters = excluded.adapters, changed = now()
            """);
        command.Parameters.Add(new() { Value = record.Model });
        command.Parameters.Add(new() { Value = JsonFormatter.Default.Format(record.Settings), NpgsqlDbType = NpgsqlDbType.Jsonb });
        command.Parameters.Add(new() { Value = record.Replicas.ToArray() });
        command.Parameters.Add(new() { Value = record.Adapters.Select(a => JsonFormatter.Default.Format(a)).ToArray(), NpgsqlDbType = NpgsqlDbType.Jsonb | NpgsqlDbType.Array });
        await command.ExecuteNonQueryAsync(token);
    }, cancellationToken);

    public async Task RemoveAsync(string model, CancellationToken cancellationToken) => await Patience.ExecuteAsync(async token =>
    {
        await using var command = database.CreateCommand("DELETE FROM slm_deployment WHERE model = $1");
        command.Parameters.Add(new() { Value = model });
        await command.ExecuteNonQueryAsync(token);
    }, cancellationToken);

    private static async Task<List<DeploymentRecord>> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var records = new List<DeploymentRecord>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            records.Add(new DeploymentRecord(
                reader.GetString(0),
                Parser.Parse<LoadModelRequest>(reader.GetString(1)),
                reader.GetFieldValue<string[]>(2),
                [.. reader.GetFieldValue<string[]>(3).Select(json => Parser.Parse<LoadAdapterRequest>(json))]));
        }

        return records;
    }
}
