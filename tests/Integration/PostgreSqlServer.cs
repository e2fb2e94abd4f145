using System.Diagnostics;
using Npgsql;

namespace Slm.Integration;

/// <summary>A PostgreSQL server of the test's own, in a temporary folder on a free port; the test is skipped where none is installed.</summary>
internal sealed class PostgreSqlServer : IAsyncDisposable
{
    private readonly string _folder;
    private readonly string[] _command;
    private Process _process;

    private PostgreSqlServer(string folder, string[] command, string connectionString)
    {
        _folder = folder;
        _command = command;
        _process = Run(command);
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    /// <summary>Starts a server for this machine and waits until it answers.</summary>
    public static Task<PostgreSqlServer> StartAsync(CancellationToken cancellationToken) => StartAsync("127.0.0.1", null, cancellationToken);

    /// <summary>Starts a server and waits until it answers.</summary>
    /// <param name="address">Address to listen on.</param>
    /// <param name="network">Command that starts it in another network, such as <c>ip netns exec x</c>: all of that network may connect.</param>
    public static async Task<PostgreSqlServer> StartAsync(string address, IReadOnlyList<string>? network, CancellationToken cancellationToken)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Found("initdb") && Found("postgres") && Found("setpriv"), "PostgreSQL is not installed here.");
        var folder = Directory.CreateTempSubdirectory("slm-postgres-").FullName;
        var port = Ports.Free();
        var prefix = AsUser;
        if (prefix.Length > 0)
            await RunAsync(["chown", "postgres", folder], cancellationToken);
        await RunAsync([.. prefix, "initdb", "-D", $"{folder}/data", "-A", "trust", "-U", "slm", "-E", "UTF8", "--no-sync"], cancellationToken);
        if (network is not null)
            await File.AppendAllTextAsync($"{folder}/data/pg_hba.conf", "host all all samenet trust\n", cancellationToken);
        var server = new PostgreSqlServer(
            folder,
            [.. network ?? [], .. prefix, "postgres", "-D", $"{folder}/data", "-p", $"{port}", "-c", $"listen_addresses={address}", "-c", $"unix_socket_directories={folder}", "-c", "fsync=off"],
            $"Host={address};Port={port};Username=slm;Database=postgres");
        try
        {
            await server.AnswersAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it as an administrator does who does not wait for its clients.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await RunAsync([.. AsUser, "pg_ctl", "stop", "-D", $"{_folder}/data", "-m", "fast"], cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>Starts it again, with what it held.</summary>
    public async Task StartAgainAsync(CancellationToken cancellationToken)
    {
        _process.Dispose();
        _process = Run(_command);
        await AnswersAsync(cancellationToken);
    }

    private async Task AnswersAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString);
                await connection.OpenAsync(deadline.Token);
                return;
            }
            catch (NpgsqlException) when (!_process.HasExited)
            {
                await Task.Delay(20, deadline.Token);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        NpgsqlConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }

    private static bool Found(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>Starts the server; what it writes is read, so that it never waits for a reader.</summary>
    private static Process Run(string[] command)
    {
        var process = Start(command);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>The server refuses to run as root.</summary>
    private static string[] AsUser => Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

    private static Process Start(string[] command) =>
        Children.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/tmp" });

    private static async Task RunAsync(string[] command, CancellationToken cancellationToken)
    {
        using var process = Start(command);
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        Assert.True(process.ExitCode == 0, $"{command[0]}: {await output}{await error}");
    }
}
