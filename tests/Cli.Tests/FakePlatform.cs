using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Slm.Cli.Tests;

/// <summary>A gRPC server on a free port whose services the test writes.</summary>
internal sealed class FakePlatform : IAsyncDisposable
{
    private readonly WebApplication _server;

    private FakePlatform(WebApplication server) => _server = server;

    /// <summary>For <c>--endpoint</c>.</summary>
    public string Endpoint => _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Starts it.</summary>
    /// <param name="recorder">What the services share with the test.</param>
    /// <param name="map">Maps the services.</param>
    public static async Task<FakePlatform> StartAsync<T>(T recorder, Action<WebApplication> map)
        where T : class
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(recorder);
        builder.Services.AddGrpc();
        var server = builder.Build();
        map(server);
        await server.StartAsync(TestContext.Current.CancellationToken);
        return new FakePlatform(server);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
