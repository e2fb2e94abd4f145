
namespace Slm.Inference;

/// <summary>Registration of the service.</summary>
public static class InferenceExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddInferenceService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapInferenceService(this WebApplication app) => app;
}
