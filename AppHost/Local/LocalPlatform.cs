using Slm.Evaluator;
using Slm.Gateway;
using Slm.Inference;
using Slm.Router;
using Slm.ServiceDefaults;
using Slm.Tokenizer;
using Slm.Trainer;

namespace Slm.AppHost.Local;

/// <summary>The whole platform in one process, on the embedded defaults.</summary>
public static class LocalPlatform
{
    private static readonly Dictionary<string, (Func<IHostApplicationBuilder, IHostApplicationBuilder> Add, Func<WebApplication, WebApplication> Map)> Known = new(StringComparer.Ordinal)
    {
        ["tokenizer"] = (TokenizerExtensions.AddTokenizerService, TokenizerExtensions.MapTokenizerService),
        ["inference"] = (InferenceExtensions.AddInferenceService, InferenceExtensions.MapInferenceService),
        ["router"] = (RouterExtensions.AddRouterService, RouterExtensions.MapRouterService),
        ["evaluator"] = (EvaluatorExtensions.AddEvaluatorService, EvaluatorExtensions.MapEvaluatorService),
        ["trainer"] = (TrainerExtensions.AddTrainerService, TrainerExtensions.MapTrainerService),
        ["gateway"] = (GatewayExtensions.AddGatewayService, GatewayExtensions.MapGatewayService),
    };

    /// <summary>Builds it. Settings: <see cref="PlatformOptions"/> and those of the services.</summary>
    /// <param name="args">Command line, such as <c>--Slm:Http=http://127.0.0.1:9000</c>.</param>
    /// <param name="configure">Last changes, for tests.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(args);
        configure?.Invoke(builder);
        builder.AddServiceDefaults();
        foreach (var service in Composition.Services)
            Known[service.Name].Add(builder);
        var app = builder.Build();
        app.MapDefaultEndpoints();
        foreach (var service in Composition.Services)
            Known[service.Name].Map(app);
        return app;
    }
}
