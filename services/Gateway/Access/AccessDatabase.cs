using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Slm.Gateway.Access;

/// <summary>Where keys and the audit log are kept: PostgreSQL, or a file of SQLite that is made when there is something to keep.</summary>
internal sealed class AccessDatabase : IDisposable
{
    /// <summary>Any number all gateways agree on: only one of them creates the tables.</summary>
    private const long LockKey = 0x536C6D416363;

    private readonly DbDataSource _source;
    private readonly string? _file;
    private readonly SemaphoreSlim _creating = new(1);
    private bool _created;

    public AccessDatabase(AccessOptions options)
    {
        if (options.Database is { } connection)
        {
            _source = NpgsqlDataSource.Create(connection);
            return;
        }

        _file = options.File;
        _source = SqliteFactory.Instance.CreateDataSource(new SqliteConnectionStringBuilder { DataSource = _file, DefaultTimeout = 10 }.ConnectionString);
    }

    /// <summary>True if there can be nothing to read yet.</summary>
    public bool IsAbsent => _file is not null && !_created && !File.Exists(_file);

    /// <summary>Name for messages, without secrets.</summary>
    public string Name => _file ?? "PostgreSQL";

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
                Prepare(_file);
            await using var connection = await _source.OpenConnectionAsync(cancellationToken);
            if (_file is not null)
                await RunAsync(connection, null, "PRAGMA journal_mode = WAL", cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            if (_file is null)
                await RunAsync(connection, transaction, $"SELECT pg_advisory_xact_lock({LockKey})", cancellationToken);
            await RunAsync(connection, transaction, await ScriptAsync(_file is null ? "access-postgresql.sql" : "access-sqlite.sql", cancellationToken), cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            Volatile.Write(ref _created, true);
        }
        finally
        {
            _creating.Release();
        }
    }

    /// <summary>Only the owner reads the file.</summary>
    private static void Prepare(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        if (File.Exists(file))
            return;
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.Open(file, options).Dispose();
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
        await using var stream = typeof(AccessDatabase).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
