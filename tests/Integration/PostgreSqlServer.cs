using System.Diagnostics;
using Npgsql;

namespace Slm.Integration;

/// <summary>A PostgreSQL server of the test's own, in a temporary folder on a free port; the test is skipped where none is installed.</summary>
internal sealed class PostgreSqlServer : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Process _process;

    private PostgreSqlServer(string folder, Process process, string connectionString)
    {
        _folder = folder;
        _process = process;
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    public static async Task<PostgreSqlServer> StartAsync(CancellationToken cancellationToken)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Found("initdb") && Found("postgres") && Found("setpriv"), "PostgreSQL is not installed here.");
        var folder = Directory.CreateTempSubdirectory("slm-postgres-").FullName;
        var port = Ports.Free();
        // The server refuses to run as root.
        string[] prefix = Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
        if (prefix.Length > 0)
            await RunAsync(["chown", "postgres", folder], cancellationToken);
        await RunAsync([.. prefix, "initdb", "-D", $"{folder}/data", "-A", "trust", "-U", "slm", "-E", "UTF8", "--no-sync"], cancellationToken);
        var process = Start([.. prefix, "postgres", "-D", $"{folder}/data", "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", $"unix_socket_directories={folder}", "-c", "fsync=off"]);
        var server = new PostgreSqlServer(folder, process, $"Host=127.0.0.1;Port={port};Username=slm;Database=postgres");
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(server.ConnectionString);
                await connection.OpenAsync(deadline.Token);
                return server;
            }
            catch (NpgsqlException) when (!process.HasExited)
            {
                await Task.Delay(20, deadline.Token);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        NpgsqlConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    private static bool Found(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static Process Start(string[] command) =>
        Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/tmp" })!;

    private static async Task RunAsync(string[] command, CancellationToken cancellationToken)
    {
        using var process = Start(command);
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        Assert.True(process.ExitCode == 0, $"{command[0]}: {await output}{await error}");
    }
}
