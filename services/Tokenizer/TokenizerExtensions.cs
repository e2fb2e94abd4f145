using Microsoft.Extensions.DependencyInjection.Extensions;
using Slm.Runtime;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.Shared;
using Slm.V1;

namespace Slm.Tokenizer;

/// <summary>Registration of the service.</summary>
public static class TokenizerExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddTokenizerService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var models = PlatformOptions.From(builder.Configuration).Models;
        builder.Services.TryAddSingleton(_ => models is null ? ModelCatalog.Default() : new ModelCatalog(models));
        builder.Services.AddSingleton<Vocabularies>();
        builder.Services.Configure<ErrorMap>(RuntimeErrors.AddTo);
        builder.Services.AddGrpcServiceHealth(TokenizerService.Descriptor.FullName);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapTokenizerService(this WebApplication app)
    {
        app.MapGrpcService<TokenizerEndpoint>();
        return app;
    }
}
