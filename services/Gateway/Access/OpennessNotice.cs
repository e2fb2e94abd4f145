using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Slm.Gateway.Access;

/// <summary>Says so when anybody on the network may use the platform.</summary>
internal sealed partial class OpennessNotice(IServer server, KeyRing keys, ILogger<OpennessNotice> logger) : IHostedLifecycleService
{
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var open = (server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []).Where(a => !IsLoopback(a)).ToArray();
        try
        {
            if (open.Length > 0 && !await keys.IsRequiredAsync(cancellationToken))
                LogOpen(logger, string.Join(", ", open));
        }
        catch (AccessUnavailableException)
        {
            // The key ring has said so, and until it knows better calls are refused.
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Addresses are such as http://127.0.0.1:8080, http://localhost:80, http://[::]:8080 and http://*:8080.</summary>
    private static bool IsLoopback(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && (uri.IsLoopback || (IPAddress.TryParse(uri.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip)));

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Addresses} can be called by anybody who reaches this machine: there is no API key. Make one with 'slm keys create', or set Slm:Access:AdminKey.")]
    private static partial void LogOpen(ILogger logger, string addresses);
}
