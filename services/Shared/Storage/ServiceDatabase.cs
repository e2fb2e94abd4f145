using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Slm.Shared.Storage;

/// <summary>
/// Where a service keeps its tables: PostgreSQL, or a file of SQLite that is made when there is something to keep. Compiled into the services
/// that use it, whose assembly holds the scripts <c>{name}-postgresql.sql</c> and <c>{name}-sqlite.sql</c>.
/// </summary>
internal sealed class ServiceDatabase : IDisposable
{
    private readonly string _scripts;
    private readonly long _lockKey;
    private readonly DbDataSource _source;
    private readonly string? _file;
    private readonly SemaphoreSlim _creating = new(1);
    private bool _created;

    /// <param name="scripts">Name of the scripts.</param>
    /// <param name="lockKey">Any number all processes of the service agree on: only one of them creates the tables.</param>
    /// <param name="connection">Connection string of PostgreSQL; null: the file.</param>
    /// <param name="file">The file.</param>
    public ServiceDatabase(string scripts, long lockKey, string? connection, string file)
    {
        (_scripts, _lockKey) = (scripts, lockKey);
        if (connection is not null)
        {
            _source = NpgsqlDataSource.Create(connection);
            return;
        }

        _file = file;
        _source = SqliteFactory.Instance.CreateDataSource(new SqliteConnectionStringBuilder { DataSource = file, DefaultTimeout = 30 }.ConnectionString);
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
                await RunAsync(connection, transaction, $"SELECT pg_advisory_xact_lock({_lockKey})", cancellationToken);
            await RunAsync(connection, transaction, await ScriptAsync($"{_scripts}-{(_file is null ? "postgresql" : "sqlite")}.sql", cancellationToken), cancellationToken);
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
        await using var stream = typeof(ServiceDatabase).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}
