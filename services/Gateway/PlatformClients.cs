using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Slm.Gateway.Access;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// gRPC clients of the services behind the gateway. Addresses come from <c>services:{name}:grpc:0</c> where services run apart,
/// and from the platform's own <c>Slm:Grpc</c> where all run in this process. Answers go on at <c>services:inference:grpc:1</c>
/// and following, where there are such, when the one before is lost.
/// </summary>
internal sealed class PlatformClients : IDisposable
{
    /// <summary>Echoed prompts with log-probabilities are far above gRPC's default of 4 MB.</summary>
    private const int MaxReceiveBytes = 256 * 1024 * 1024;

    private readonly Dictionary<string, GrpcChannel> _channels = new(StringComparer.Ordinal);

    private readonly InternalCalls _own;
    private readonly UsageInterceptor _usage;

    public PlatformClients(IConfiguration configuration, InternalCalls own, UsageInterceptor usage, TimeProvider time)
    {
        (_own, _usage) = (own, usage);
        Inference = new(Channel(configuration, "inference"));
        Models = new(Channel(configuration, "inference"));
        Tokens = new(Channel(configuration, "tokenizer"));
        var all = new List<InferenceService.InferenceServiceClient> { Inference };
        while (configuration[$"services:inference:grpc:{all.Count}"] is { } address)
            all.Add(new(Channel(address, isOwn: false)));
        Answers = new SteadyInference(all, time);
    }

    public InferenceService.InferenceServiceClient Inference { get; }

    /// <summary>Requests that survive the loss of who answers them.</summary>
    public SteadyInference Answers { get; }

    public ModelService.ModelServiceClient Models { get; }

    public TokenizerService.TokenizerServiceClient Tokens { get; }

    /// <summary>Address of a service that runs in another process, or null.</summary>
    public static string? RemoteAddress(IConfiguration configuration, string service) => configuration[$"services:{service}:grpc:0"];

    public void Dispose()
    {
        foreach (var channel in _channels.Values)
            channel.Dispose();
    }

    private CallInvoker Channel(IConfiguration configuration, string service) => RemoteAddress(configuration, service) is { } remote
        ? Channel(remote, isOwn: false)
        : Channel(Loopback(configuration["Slm:Grpc"] ?? "http://127.0.0.1:8081"), isOwn: true);

    private CallInvoker Channel(string address, bool isOwn)
    {
        if (!_channels.TryGetValue(address, out var channel))
        {
            var handler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                KeepAlivePingDelay = TimeSpan.FromSeconds(60),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(30),
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            };
            channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
            {
                MaxReceiveMessageSize = MaxReceiveBytes,
                MaxSendMessageSize = MaxReceiveBytes,
                HttpHandler = isOwn ? _own.Attach(handler) : handler,
                DisposeHttpClient = true,
            });
            _channels.Add(address, channel);
        }
        return channel.Intercept(_usage);
    }

    /// <summary>Turns an address to listen on, such as <c>http://*:8081</c>, into one to call.</summary>
    private static string Loopback(string listen)
    {
        var first = listen.Split(';')[0].Replace("://*", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://+", "://127.0.0.1", StringComparison.Ordinal).Replace("://0.0.0.0", "://127.0.0.1", StringComparison.Ordinal)
            .Replace("://[::]", "://127.0.0.1", StringComparison.Ordinal);
        return Uri.TryCreate(first, UriKind.Absolute, out var uri) && uri.Port > 0 ? first
            : throw new InvalidOperationException($"Slm:Grpc is '{listen}', which the gateway cannot call. Give a URL with a fixed port, such as http://127.0.0.1:8081, or set services:inference:grpc:0.");
    }
}
