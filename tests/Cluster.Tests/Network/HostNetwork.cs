using System.Diagnostics;
using System.Globalization;

namespace Slm.Cluster.Tests.Network;

/// <summary>
/// Hosts with addresses of their own on one machine: network namespaces, joined by a bridge that this process is on as well. All of
/// it carries the number of this process; what a run that crashed has left is removed by the next one.
/// </summary>
internal sealed class HostNetwork : IAsyncDisposable
{
    private const string Prefix = "slm";
    private readonly string _bridge;
    private readonly string _subnet;
    private readonly List<NetworkHost> _hosts = [];

    private HostNetwork(string bridge, string subnet) => (_bridge, _subnet) = (bridge, subnet);

    /// <summary>Name of the bridge.</summary>
    public string Bridge => _bridge;

    /// <summary>Gives a host a cable whose end there is called eth0; null: to the bridge.</summary>
    public Func<NetworkHost, CancellationToken, Task>? Plug { get; set; }

    /// <summary>Why there can be no such network here; null if there can.</summary>
    public static async Task<string?> WhyNotAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            return "Network namespaces need Linux.";
        if (!File.Exists("/usr/sbin/ip") && !File.Exists("/sbin/ip") && !File.Exists("/usr/bin/ip"))
            return "Network namespaces need the command ip (iproute2), which is not installed here.";
        var probe = $"{Prefix}-{Environment.ProcessId}-probe";
        var (code, error) = await OutputAsync(["netns", "add", probe], cancellationToken);
        if (code == 0)
        {
            (code, error) = await OutputAsync(["-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1"], cancellationToken);
            await OutputAsync(["netns", "del", probe], cancellationToken);
        }

        return code == 0 ? null : $"Network namespaces are not permitted here (they need root): {error}";
    }

    /// <summary>Creates the bridge.</summary>
    public static async Task<HostNetwork> CreateAsync(CancellationToken cancellationToken)
    {
        await RemoveLeftoversAsync(cancellationToken);
        var bridge = $"{Prefix}br{Environment.ProcessId}";
        await RunAsync(["link", "add", bridge, "type", "bridge", "forward_delay", "0"], cancellationToken);

        // A subnet that nobody on this machine is on; several runs may look for one at a time.
        for (var first = Environment.ProcessId; ; first++)
        {
            var subnet = string.Create(CultureInfo.InvariantCulture, $"10.213.{first % 256}");
            var (_, taken) = await OutputAsync(["-o", "addr", "show", "to", $"{subnet}.0/24"], cancellationToken);
            if (taken.Length > 0)
                continue;
            await RunAsync(["addr", "add", $"{subnet}.1/24", "dev", bridge], cancellationToken);
            await RunAsync(["link", "set", bridge, "up"], cancellationToken);
            return new HostNetwork(bridge, subnet);
        }
    }

    /// <summary>Adds a host.</summary>
    /// <param name="name">A short name.</param>
    public async Task<NetworkHost> AddAsync(string name, CancellationToken cancellationToken)
    {
        var number = _hosts.Count + 2;
        var host = new NetworkHost(
            $"{Prefix}-{Environment.ProcessId}-{name}",
            string.Create(CultureInfo.InvariantCulture, $"{Prefix}v{Environment.ProcessId}x{number}"),
            string.Create(CultureInfo.InvariantCulture, $"{_subnet}.{number}"));
        _hosts.Add(host);
        await RunAsync(["netns", "add", host.Namespace], cancellationToken);
        await RunAsync(["-n", host.Namespace, "link", "set", "lo", "up"], cancellationToken);
        if (Plug is { } plug)
            await plug(host, cancellationToken);
        else
            await RunAsync(["link", "add", host.Link, "type", "veth", "peer", "name", "eth0", "netns", host.Namespace], cancellationToken);
        await RunAsync(["-n", host.Namespace, "addr", "add", $"{host.Address}/24", "dev", "eth0"], cancellationToken);
        await RunAsync(["-n", host.Namespace, "link", "set", "eth0", "up"], cancellationToken);
        if (Plug is not null)
            return host;
        await RunAsync(["link", "set", host.Link, "master", _bridge], cancellationToken);
        await HealAsync(host, cancellationToken);
        return host;
    }

    /// <summary>Cuts a host off from all others; what it sends is lost without a word.</summary>
    public static Task CutAsync(NetworkHost host, CancellationToken cancellationToken) => RunAsync(["link", "set", host.Link, "down"], cancellationToken);

    /// <summary>Joins it again.</summary>
    public static Task HealAsync(NetworkHost host, CancellationToken cancellationToken) => RunAsync(["link", "set", host.Link, "up"], cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
            await RemoveAsync(host.Namespace, CancellationToken.None);
        await OutputAsync(["link", "del", _bridge], CancellationToken.None);
    }

    /// <summary>Removes what belongs to processes that are gone.</summary>
    private static async Task RemoveLeftoversAsync(CancellationToken cancellationToken)
    {
        var (_, namespaces) = await OutputAsync(["netns", "list"], cancellationToken);
        foreach (var name in namespaces.Split('\n').Select(line => line.Split(' ')[0]))
        {
            if (name.Split('-') is [Prefix, var owner, _] && IsGone(owner))
                await RemoveAsync(name, cancellationToken);
        }

        var (_, links) = await OutputAsync(["-o", "link", "show", "type", "bridge"], cancellationToken);
        foreach (var name in links.Split('\n').Select(line => line.Split(": ") is [_, var link, ..] ? link : ""))
        {
            if (name.StartsWith($"{Prefix}br", StringComparison.Ordinal) && IsGone(name[$"{Prefix}br".Length..]))
                await OutputAsync(["link", "del", name], cancellationToken);
        }
    }

    private static bool IsGone(string process) => int.TryParse(process, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && !Directory.Exists($"/proc/{id}");

    /// <summary>Removes a namespace, with processes that a crash has left in it; its links go with it.</summary>
    private static async Task RemoveAsync(string name, CancellationToken cancellationToken)
    {
        var (_, left) = await OutputAsync(["netns", "pids", name], cancellationToken);
        foreach (var id in left.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                using var process = Process.GetProcessById(int.Parse(id, CultureInfo.InvariantCulture));
                process.Kill();
                await process.WaitForExitAsync(cancellationToken);
            }
            catch (ArgumentException)
            {
                // It has ended by itself.
            }
        }

        await OutputAsync(["netns", "del", name], cancellationToken);
    }

    /// <summary>Runs the command ip.</summary>
    /// <exception cref="InvalidOperationException">What it says if it fails.</exception>
    public static async Task RunAsync(string[] arguments, CancellationToken cancellationToken)
    {
        var (code, error) = await OutputAsync(arguments, cancellationToken);
        if (code != 0)
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {error}");
    }


    /// <summary>What the command writes; where it fails, what it says of that.</summary>
    private static async Task<(int Code, string Output)> OutputAsync(string[] arguments, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, (process.ExitCode == 0 ? await output : await error).Trim());
    }
}

/// <summary>A host of a <see cref="HostNetwork"/>.</summary>
/// <param name="Namespace">Its network namespace.</param>
/// <param name="Link">The bridge's end of its cable.</param>
/// <param name="Address">Its address.</param>
internal sealed record NetworkHost(string Namespace, string Link, string Address)
{
    /// <summary>What a command is to begin with that runs there.</summary>
    public IReadOnlyList<string> Command { get; } = ["ip", "netns", "exec", Namespace];
}
