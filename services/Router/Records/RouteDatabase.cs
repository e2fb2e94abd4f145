using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Slm.Router.Records;

/// <summary>Where decisions and spending are kept: PostgreSQL, or a file of SQLite.</summary>
internal sealed class RouteDatabase : IDisposable
{
    /// <summary>Any number all routers agree on: only one of them creates the tables.</summary>
    private const long LockKey = 0x536C6D526F75;

    private readonly DbDataSource _source;
    private readonly string? _file;
    private readonly SemaphoreSlim _creating = new(1);
    private bool _created;

    public RouteDatabase(RouterOptions options)
    {
        if (options.Database is { } connection)
        {
            _source = NpgsqlDataSource.Create(connection);
            return;
        }

        _file = options.File;
        _source = SqliteFactory.Instance.CreateDataSource(new SqliteConnectionStringBuilder { DataSource = _file, DefaultTimeout = 30 }.ConnectionString);
    }

    /// <summary>An open connection to a database that has the tables.</summary>
    public async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (!Volatile.Read(ref _created))
            await CreateAsync(cancellationToken);
        return await _source.OpenConnectionAsync(cancellationToken);
    }

    public void Dispose()
    {
        _source.Dispose();
        _creating.Dispose();
        if (_file is not null)
            SqliteConnection.ClearAllPools();
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        await _creating.WaitAsync(cancellationToken);
        try
        {
            if (_created)
                return;
            if (_file is not null)
                Directory.CreateDirectory(Path.GetDirectoryName(_file)!);
            await using var connection = await _source.OpenConnectionAsync(cancellationToken);
            if (_file is not null)
                await RunAsync(connection, null, "PRAGMA journal_mode = WAL", cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (_file is null)
                await RunAsync(connection, transaction, $"SELECT pg_advisory_xact_lock({LockKey})", cancellationToken);
            await RunAsync(connection, transaction, await ScriptAsync(_file is null ? "router-postgresql.sql" : "router-sqlite.sql", cancellationToken), cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            Volatile.Write(ref _created, true);
        }
        finally
        {
            _creating.Release();
        }
    }

    private static async Task RunAsync(DbConnection connection, DbTransaction? transaction, string text, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // Our own scripts.
        command.CommandText = text;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<string> ScriptAsync(string name, CancellationToken cancellationToken)
    {
        await using var stream = typeof(RouteDatabase).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}

/// <summary>Parameters of both providers.</summary>
internal static class CommandParameters
{
    /// <summary>Adds a parameter.</summary>
    public static void Add(this DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value);
        command.Parameters.Add(parameter);
    }
}
