using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Slm.Trainer.Jobs;

namespace Slm.Trainer;

/// <summary>The trainer service: jobs that run as processes of the training program.</summary>
public static class TrainerExtensions
{
    /// <summary>Adds the service and its validated options.</summary>
    public static IHostApplicationBuilder AddTrainerService(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<TrainerServiceOptions>().BindConfiguration(TrainerServiceOptions.Section)
            .Validate(o => !string.IsNullOrWhiteSpace(o.Folder), $"{TrainerServiceOptions.Section}:Folder is empty; give the folder of the job records.")
            .Validate(o => o.MaxConfigLength > 0, $"{TrainerServiceOptions.Section}:MaxConfigLength must be above 0.")
            .ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services => new JobStore(services.GetRequiredService<IOptions<TrainerServiceOptions>>().Value.Folder));
        builder.Services.AddSingleton<JobRunner>();
        builder.Services.AddHostedService(services => services.GetRequiredService<JobRunner>());
        return builder;
    }

    /// <summary>Maps the gRPC service.</summary>
    public static WebApplication MapTrainerService(this WebApplication app)
    {
        app.MapGrpcService<TrainerGrpcService>();
        return app;
    }
}
