using System.Collections.Concurrent;
using Grpc.Net.Client;
using Microsoft.Extensions.Configuration;

namespace Slm.ServiceDefaults;

/// <summary>
/// gRPC channels to the platform's services, one for each address. Addresses come from <c>services:{name}:grpc:0</c> where services run apart,
/// and from the platform's own <c>Slm:Grpc</c> where all run in this process: calls to that are marked as the process's own.
/// </summary>
public sealed class ServiceChannels(IConfiguration configuration, InternalCalls own) : IDisposable
{
    /// <summary>Echoed prompts with log-probabilities are far above gRPC's default of 4 MB.</summary>
    private const int MaxMessageBytes = 256 * 1024 * 1024;

    private readonly ConcurrentDictionary<string, Lazy<GrpcChannel>> _channels = new(StringComparer.Ordinal);

    /// <summary>Address of a service that runs in another process, or null.</summary>
    public static string? RemoteAddress(IConfiguration configuration, string service)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return configuration[$"services:{service}:grpc:0"];
    }

    /// <summary>The channel to a service.</summary>
    /// <exception cref="OptionException">It runs in this process, and <c>Slm:Grpc</c> is no address that can be called.</exception>
    public GrpcChannel To(string service) => RemoteAddress(configuration, service) is { } remote ? At(remote)
        : Open(Loopback(configuration["Slm:Grpc"] ?? "http://127.0.0.1:8081"), isOwn: true);

    /// <summary>The channel to an address of another process.</summary>
    public GrpcChannel At(string address) => Open(address, isOwn: false);

    private GrpcChannel Open(string address, bool isOwn) => _channels.GetOrAdd(address, a => new(() =>
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = TimeSpan.FromSeconds(60),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        };
        return GrpcChannel.ForAddress(a, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = MaxMessageBytes,
            MaxSendMessageSize = MaxMessageBytes,
            HttpHandler = isOwn ? own.Attach(handler) : handler,
            DisposeHttpClient = true,
        });
    })).Value;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var channel in _channels.Values.Where(c => c.IsValueCreated))
            channel.Value.Dispose();
    }

    /// <summary>Turns an address to listen on, such as <c>http://*:8081</c>, into one to call.</summary>
    private static string Loopback(string listen)
    {
        var first = listen.Split(';')[0].Replace("://*", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://+", "://127.0.0.1", StringComparison.Ordinal).Replace("://0.0.0.0", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://[::]", "://127.0.0.1", StringComparison.Ordinal);
        return Uri.TryCreate(first, UriKind.Absolute, out var uri) && uri.Port > 0 ? first
            : throw new OptionException("Slm:Grpc", listen, "be a URL with a fixed port, such as http://127.0.0.1:8081, where services of this process call each other");
    }
}
