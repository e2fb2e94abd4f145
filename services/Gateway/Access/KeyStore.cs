using System.Data.Common;
using Slm.Shared.Storage;

namespace Slm.Gateway.Access;

/// <summary>Keys in the database (infra/database/access-*.sql).</summary>
internal sealed class KeyStore(ServiceDatabase database)
{
    /// <summary>All keys, oldest first.</summary>
    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        if (database.IsAbsent)
            return [];
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT id, name, hash, scopes, requests_per_minute, tokens_per_minute, max_concurrent, created, expires, revoked FROM slm_api_key ORDER BY created, id";
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var keys = new List<ApiKey>();
        while (await reader.ReadAsync(cancellationToken))
        {
            keys.Add(new ApiKey(reader.GetString(0), reader.GetString(1), reader.GetFieldValue<byte[]>(2), reader.GetString(3).Split(' '), Time(reader.GetInt64(7)))
            {
                RequestsPerMinute = (int?)Number(reader, 4),
                TokensPerMinute = Number(reader, 5),
                MaxConcurrent = (int?)Number(reader, 6),
                Expires = Number(reader, 8) is { } expires ? Time(expires) : null,
                Revoked = Number(reader, 9) is { } revoked ? Time(revoked) : null,
            });
        }

        return keys;
    }

    /// <summary>Adds one.</summary>
    public async Task AddAsync(ApiKey key, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = """
            INSERT INTO slm_api_key (id, name, hash, scopes, requests_per_minute, tokens_per_minute, max_concurrent, created, expires)
            VALUES (@id, @name, @hash, @scopes, @requests, @tokens, @concurrent, @created, @expires)
            """;
        command.Add("@id", key.Id);
        command.Add("@name", key.Name);
        command.Add("@hash", key.Hash);
        command.Add("@scopes", string.Join(' ', key.Scopes));
        command.Add("@requests", (long?)key.RequestsPerMinute);
        command.Add("@tokens", key.TokensPerMinute);
        command.Add("@concurrent", (long?)key.MaxConcurrent);
        command.Add("@created", key.Created.ToUnixTimeMilliseconds());
        command.Add("@expires", key.Expires?.ToUnixTimeMilliseconds());
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Ends one; one that is ended already keeps its time. False if there is none.</summary>
    public async Task<bool> RevokeAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (database.IsAbsent)
            return false;
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "UPDATE slm_api_key SET revoked = COALESCE(revoked, @now) WHERE id = @id";
        command.Add("@now", now.ToUnixTimeMilliseconds());
        command.Add("@id", id);
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    private static long? Number(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
