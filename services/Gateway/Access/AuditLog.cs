using System.Threading.Channels;
using Slm.Shared.Storage;

namespace Slm.Gateway.Access;

/// <summary>
/// The audit log in the database (infra/database/access-*.sql). Entries are written behind the requests, in batches; while the database
/// does not answer they wait, and requests wait for room: none is lost but with the process.
/// </summary>
internal sealed partial class AuditLog(ServiceDatabase database, AccessOptions options, TimeProvider time, ILogger<AuditLog> logger) : BackgroundService
{
    private const int Capacity = 10_000;
    private const int Batch = 200;

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CleaningInterval = TimeSpan.FromHours(1);

    private readonly Channel<AuditEntry> _entries = Channel.CreateBounded<AuditEntry>(new BoundedChannelOptions(Capacity) { SingleReader = true });
    private long? _cleaned;

    /// <summary>Notes an entry.</summary>
    public async ValueTask AddAsync(AuditEntry entry)
    {
        try
        {
            await _entries.Writer.WriteAsync(entry);
        }
        catch (ChannelClosedException)
        {
            LogLate(logger, entry.Action, entry.KeyId);
        }
    }

    /// <summary>The newest entries, newest first.</summary>
    public async Task<IReadOnlyList<AuditEntry>> ListAsync(int limit, string? keyId, CancellationToken cancellationToken)
    {
        if (database.IsAbsent)
            return [];
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT time, request_id, key_id, address, action, outcome, prompt_tokens, completion_tokens, duration_ms FROM slm_audit
            WHERE (@all = 1 OR key_id = @key) ORDER BY time DESC, id DESC LIMIT @limit
            """;
        command.Add("@all", keyId is null ? 1L : 0L);
        command.Add("@key", keyId ?? "");
        command.Add("@limit", (long)limit);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var entries = new List<AuditEntry>();
        while (await reader.ReadAsync(cancellationToken))
        {
            entries.Add(new AuditEntry(
                DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(0)), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5),
                reader.GetInt64(6), reader.GetInt64(7), TimeSpan.FromMilliseconds(reader.GetInt64(8))));
        }

        return entries;
    }

    /// <summary>Lets what is noted be written, as far as time allows.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _entries.Writer.TryComplete();
        if (ExecuteTask is { } writing)
            await writing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<AuditEntry>();
        while (await _entries.Reader.WaitToReadAsync(stoppingToken))
        {
            while (batch.Count < Batch && _entries.Reader.TryRead(out var entry))
                batch.Add(entry);
            while (batch.Count > 0)
            {
                try
                {
                    await WriteAsync(batch, stoppingToken);
                    batch.Clear();
                }
#pragma warning disable CA1031 // Whatever keeps it from being written may pass; the entries are kept.
                catch (Exception error) when (error is not OperationCanceledException)
#pragma warning restore CA1031
                {
                    LogUnwritten(logger, error, batch.Count);
                    await Task.Delay(Retry, time, stoppingToken);
                }
            }
        }
    }

    private async Task WriteAsync(List<AuditEntry> batch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var entry in batch)
        {
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = """
                INSERT INTO slm_audit (time, request_id, key_id, address, action, outcome, prompt_tokens, completion_tokens, duration_ms)
                VALUES (@time, @request, @key, @address, @action, @outcome, @prompt, @completion, @duration)
                """;
            command.Add("@time", entry.Time.ToUnixTimeMilliseconds());
            command.Add("@request", entry.RequestId);
            command.Add("@key", entry.KeyId);
            command.Add("@address", entry.Address);
            command.Add("@action", entry.Action);
            command.Add("@outcome", entry.Outcome);
            command.Add("@prompt", entry.PromptTokens);
            command.Add("@completion", entry.CompletionTokens);
            command.Add("@duration", (long)entry.Duration.TotalMilliseconds);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        if (_cleaned is null || time.GetElapsedTime(_cleaned.Value) > CleaningInterval)
        {
            await using var clean = connection.CreateCommand();
            clean.Transaction = transaction;
            clean.CommandText = "DELETE FROM slm_audit WHERE time < @oldest";
            clean.Add("@oldest", time.GetUtcNow().AddDays(-options.AuditDays).ToUnixTimeMilliseconds());
            await clean.ExecuteNonQueryAsync(cancellationToken);
            _cleaned = time.GetTimestamp();
        }

        await transaction.CommitAsync(cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The audit log is closed: not noted is {Action} by '{Key}'")]
    private static partial void LogLate(ILogger logger, string action, string key);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} entries of the audit log could not be written yet")]
    private static partial void LogUnwritten(ILogger logger, Exception error, int count);
}
