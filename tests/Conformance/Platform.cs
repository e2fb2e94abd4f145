using System.Diagnostics;
using System.Reflection;
using System.Text;
using Slm.Integration;

[assembly: AssemblyFixture(typeof(Slm.Conformance.Platform))]

namespace Slm.Conformance;

/// <summary>The whole platform as a user starts it: AppHost in a process of its own, with the shipped models, on free ports.</summary>
public sealed class Platform : IAsyncLifetime
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(2);

    private readonly StringBuilder _output = new();
    private Process? _process;

    /// <summary>The shipped model every check uses.</summary>
    public const string Model = "stories";

    /// <summary>Root of the source checkout.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Base address of the HTTP API.</summary>
    public string Http { get; } = $"http://127.0.0.1:{Ports.Free()}";

    /// <summary>Address of the gRPC services.</summary>
    public string Grpc { get; } = $"http://127.0.0.1:{Ports.Free()}";

    public async ValueTask InitializeAsync()
    {
        var configuration = typeof(Platform).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { Path.Combine(Root, "AppHost", "bin", configuration, "net10.0", "Slm.AppHost.dll") },
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // Its own MCP server is also one whose tools its responses can use.
            Environment = { ["Slm__Http"] = Http, ["Slm__Grpc"] = Grpc, ["Slm__Gateway__Mcp__self__Url"] = $"{Http}/mcp" },
        };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += Append;
        _process.ErrorDataReceived += Append;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();

        using var client = new HttpClient();
        using var deadline = new CancellationTokenSource(StartDeadline);
        while (true)
        {
            if (_process.HasExited)
                throw new InvalidOperationException($"AppHost ended with code {_process.ExitCode} while starting:\n{Output}");
            try
            {
                using var response = await client.GetAsync($"{Http}/health", deadline.Token);
                if (response.IsSuccessStatusCode)
                    return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"AppHost was not healthy after {StartDeadline}:\n{Output}");
            }
            await Task.Delay(50, CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    private void Append(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
            _output.AppendLine(line.Data);
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException("SlmPlatform.sln was not found above the test's folder.");
    }
}
