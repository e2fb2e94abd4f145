using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Evaluator;

/// <summary>Registration of the service.</summary>
public static class EvaluatorExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddEvaluatorService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddGrpcServiceHealth(EvaluatorService.Descriptor.FullName);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapEvaluatorService(this WebApplication app)
    {
        app.MapGrpcService<EvaluatorEndpoint>();
        return app;
    }
}
