using Microsoft.Extensions.DependencyInjection.Extensions;
using Slm.Gateway.OpenAi;
using Slm.Gateway.Web;
using Slm.ServiceDefaults;

namespace Slm.Gateway;

/// <summary>The gateway: OpenAI-compatible HTTP, the web page, and gRPC forwarding where the services run apart.</summary>
public static class GatewayExtensions
{
    /// <summary>Adds what the gateway needs. Services are found as <see cref="PlatformClients"/> says.</summary>
    public static IHostApplicationBuilder AddGatewayService(this IHostApplicationBuilder builder)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<ServiceChannels>();
        builder.Services.AddSingleton<PlatformClients>();
        builder.AddGrpcForwarding();
        return builder;
    }

    /// <summary>Maps the gateway's endpoints.</summary>
    public static WebApplication MapGatewayService(this WebApplication app)
    {
        app.MapOpenAi();
        app.MapWebPage();
        app.MapGrpcForwarding();
        return app;
    }
}
