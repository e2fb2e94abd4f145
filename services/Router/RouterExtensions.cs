using Google.Rpc;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Slm.Router.Accounting;
using Slm.Router.Cascades;
using Slm.Router.Learning;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.Router.Signals;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Router;

/// <summary>Registration of the service.</summary>
public static class RouterExtensions
{
    /// <summary>Adds what the service needs.</summary>
    /// <exception cref="OptionException">A setting is not usable.</exception>
    public static IHostApplicationBuilder AddRouterService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        var options = RouterOptions.From(builder.Configuration);
        services.AddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ServiceChannels>();
        services.AddSingleton(_ => options.OpenDatabase());
        services.AddSingleton<SpendLedger>();
        services.AddSingleton<DecisionStore>();
        services.AddSingleton<Recorder>();
        services.AddHostedService(s => s.GetRequiredService<Recorder>());
        services.AddSingleton<PolicyStore>();
        services.AddHostedService(s => s.GetRequiredService<PolicyStore>());
        services.AddSingleton<ModelLoad>();
        services.AddSingleton<EndpointModels>();
        services.AddSingleton(s => new VocabularyMatch(new TokenizerService.TokenizerServiceClient(s.GetRequiredService<ServiceChannels>().To("tokenizer")), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IModels>(s => new PlatformModels(
            new InferenceService.InferenceServiceClient(s.GetRequiredService<ServiceChannels>().To("inference")), s.GetRequiredService<VocabularyMatch>(), s.GetRequiredService<EndpointModels>().All));
        services.AddSingleton<StageRunner>();
        services.AddSingleton<Cascade>();
        services.AddSingleton(_ => new RouterEnergy(EnergyMeter.Create(options, ServiceChannels.RemoteAddress(builder.Configuration, "inference") is null)));
        services.AddSingleton<RequestRouter>();
        services.AddSingleton<SuiteRunner>();
        services.Configure<ErrorMap>(map =>
        {
            map.Add<TuningException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("TUNING")));
            map.Add<System.Data.Common.DbException>(e => ErrorMap.Make(Code.Unavailable, $"The router's database does not answer: {e.Message}", ErrorMap.Retry(TimeSpan.FromSeconds(2)), ErrorMap.Info("DATABASE_UNAVAILABLE")));
        });
        services.AddGrpcServiceHealth(RouterService.Descriptor.FullName);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapRouterService(this WebApplication app)
    {
        app.MapGrpcService<RouterEndpoint>();
        return app;
    }
}
