using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Slm.Router.Tests.Dapr;

/// <summary>A Dapr sidecar that knows some secrets, on a free port.</summary>
internal sealed class SidecarStub : Dapr.DaprBase, IAsyncDisposable
{
    private WebApplication? _application;
    private int _asked;

    /// <summary>Fields of secrets, by "store/secret".</summary>
    public ConcurrentDictionary<string, Dictionary<string, string>> Secrets { get; } = new(StringComparer.Ordinal);

    /// <summary>How often it was asked.</summary>
    public int Asked => _asked;

    /// <summary>Where it is.</summary>
    public string Address { get; private set; } = "";

    public static async Task<SidecarStub> StartAsync(CancellationToken cancellationToken)
    {
        var stub = new SidecarStub();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(stub);
        stub._application = builder.Build();
        stub._application.MapGrpcService<SidecarStub>();
        await stub._application.StartAsync(cancellationToken);
        stub.Address = stub._application.Urls.Single();
        return stub;
    }

    public override Task<GetSecretResponse> GetSecret(GetSecretRequest request, ServerCallContext context)
    {
        Interlocked.Increment(ref _asked);
        if (!Secrets.TryGetValue($"{request.StoreName}/{request.Key}", out var fields))
            throw new RpcException(new Status(StatusCode.Internal, $"failed getting secret with key {request.Key} from secret store {request.StoreName}"));
        return Task.FromResult(new GetSecretResponse { Data = { fields } });
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
            await _application.DisposeAsync();
    }
}
