using System.Diagnostics;
using System.Runtime.InteropServices;
using Grpc.Core;
using Grpc.Net.Client;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>The inference service in a process of its own, as a silo of the cluster that meets on a database.</summary>
internal sealed partial class SiloProcess : IAsyncDisposable
{
    private const int Stop = 19;
    private const int Continue = 18;
    private const int Terminate = 15;
    private readonly Process _process;
    private readonly List<string> _log = [];

    private SiloProcess(string name, Process process, string address)
    {
        Name = name;
        _process = process;
        Channel = GrpcChannel.ForAddress(address);
        Inference = new InferenceService.InferenceServiceClient(Channel);
        Models = new ModelService.ModelServiceClient(Channel);
        Cluster = new ClusterService.ClusterServiceClient(Channel);
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What placements call it.</summary>
    public string Name { get; }

    public GrpcChannel Channel { get; }

    public InferenceService.InferenceServiceClient Inference { get; }

    public ModelService.ModelServiceClient Models { get; }

    public ClusterService.ClusterServiceClient Cluster { get; }

    /// <summary>True once the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>What it ended with.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Bytes of memory it holds.</summary>
    public long WorkingSet
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Its threads.</summary>
    public int Threads => Directory.GetDirectories($"/proc/{_process.Id}/task").Length;

    /// <summary>What it has written.</summary>
    public string Log
    {
        get
        {
            lock (_log)
                return string.Join('\n', _log);
        }
    }

    /// <summary>Starts a silo; <see cref="ReadyAsync"/> waits for it.</summary>
    /// <param name="name">What placements are to call it.</param>
    /// <param name="database">Connection string.</param>
    /// <param name="models">Folder with models.</param>
    /// <param name="settings">More settings, <c>Section:Name=value</c>.</param>
    /// <param name="address">Address to listen on.</param>
    /// <param name="prefix">Command that starts it, such as <c>ip netns exec x</c>.</param>
    /// <param name="program">Folder with the program; null: that of this checkout.</param>
    public static SiloProcess Start(
        string name, string database, string models, IEnumerable<string>? settings = null, string address = "127.0.0.1", IReadOnlyList<string>? prefix = null, string? program = null)
    {
        var grpc = $"http://{address}:{Ports.Free()}";
        string[] command =
        [
            .. prefix ?? [],
            Path.Combine(program ?? AppContext.BaseDirectory, "Slm.Inference"),
            $"--Slm:Grpc={grpc}",
            $"--Slm:Http=http://{address}:{Ports.Free()}",
            $"--Slm:Models={models}",
            $"--Slm:Inference:SiloName={name}",
            "--Slm:Inference:Threads=1",
            "--Slm:Inference:DrainSeconds=20",
            "--Logging:LogLevel:Default=Warning",
            "--Logging:LogLevel:Slm=Information",
            "--Orleans:ClusterId=slm",
            "--Orleans:ServiceId=slm",
            $"--Orleans:Endpoints:SiloPort={Ports.Free()}",
            "--Orleans:Endpoints:GatewayPort=0",
            $"--Orleans:Endpoints:AdvertisedIPAddress={address}",
            "--Orleans:Clustering:ProviderType=AdoNet",
            "--Orleans:Clustering:Invariant=Npgsql",
            $"--Orleans:Clustering:ConnectionString={database}",
            .. (settings ?? []).Select(s => $"--{s}"),
        ];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Several silos share two processors: no garbage collector of theirs needs one to itself.
        start.Environment["DOTNET_gcConcurrent"] = "0";
        return new SiloProcess(name, Children.Start(start), grpc);
    }

    /// <summary>Waits until it serves.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Assert.False(_process.HasExited, $"{Name} ended with {(_process.HasExited ? _process.ExitCode : 0)}:\n{Log}");
            try
            {
                await Cluster.ListSilosAsync(new ListSilosRequest(), deadline: DateTime.UtcNow.AddSeconds(20), cancellationToken: cancellationToken);
                return;
            }
            catch (RpcException) when (!cancellationToken.IsCancellationRequested)
            {
                await Task.Delay(50, cancellationToken);
            }
        }
    }

    /// <summary>Ends it as a crash does.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    /// <summary>Holds it, as a machine that hangs.</summary>
    public void Freeze() => Assert.Equal(0, Signal(_process.Id, Stop));

    /// <summary>Lets it go on.</summary>
    public void Thaw() => Assert.Equal(0, Signal(_process.Id, Continue));

    /// <summary>Asks it to end, and waits until it has.</summary>
    public async Task<int> StopAsync(CancellationToken cancellationToken)
    {
        Assert.Equal(0, Signal(_process.Id, Terminate));
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
            return;
        lock (_log)
            _log.Add(line.Data);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
