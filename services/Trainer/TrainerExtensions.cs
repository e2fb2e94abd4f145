
namespace Slm.Trainer;

/// <summary>Registration of the service.</summary>
public static class TrainerExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddTrainerService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapTrainerService(this WebApplication app) => app;
}
