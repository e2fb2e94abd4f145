using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Router;

/// <summary>Registration of the service.</summary>
public static class RouterExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddRouterService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddGrpcServiceHealth(RouterService.Descriptor.FullName);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapRouterService(this WebApplication app)
    {
        app.MapGrpcService<RouterEndpoint>();
        return app;
    }
}
