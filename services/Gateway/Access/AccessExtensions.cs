using System.Data.Common;
using Google.Rpc;
using Slm.Gateway.Access.Idempotency;
using Slm.ServiceDefaults.Errors;
using Slm.Shared.Storage;
using Slm.V1;

namespace Slm.Gateway.Access;

/// <summary>Registration of keys, limits, audit log, idempotency, CORS and graceful stop.</summary>
internal static class AccessExtensions
{
    private static readonly string[] ExposedHeaders =
    [
        "x-request-id", "retry-after", "retry-after-ms", "idempotent-replayed",
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ];

    /// <summary>Adds what is needed.</summary>
    public static void AddAccess(this IHostApplicationBuilder builder)
    {
        var options = AccessOptions.From(builder.Configuration);
        var services = builder.Services;
        services.AddSingleton(options);
        services.AddSingleton(_ => new ServiceDatabase("access", 0x536C6D416363, options.Database, options.File));
        services.AddSingleton<KeyStore>();
        services.AddSingleton<KeyRing>();
        services.AddSingleton<KeyLimits>();
        services.AddSingleton<Doorkeeper>();
        services.AddSingleton(provider => new FairGate(options.MaxConcurrent, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new IdempotentAnswers(options.IdempotencyBytes, TimeSpan.FromMinutes(options.IdempotencyMinutes), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AuditLog>();
        services.AddHostedService(provider => provider.GetRequiredService<AuditLog>());
        services.AddSingleton<GracefulStop>();
        services.AddHostedService(provider => provider.GetRequiredService<GracefulStop>());
        services.AddHostedService<OpennessNotice>();
        services.AddHealthChecks().AddCheck<GracefulStop>("gateway");
        services.AddHttpContextAccessor();
        services.AddSingleton<UsageInterceptor>();
        services.PostConfigure<HostOptions>(host => host.ShutdownTimeout += TimeSpan.FromSeconds(options.DrainSeconds));
        services.Configure<ErrorMap>(map => map.Add<DbException>(_ => ErrorMap.Make(
            Code.Unavailable, "The database of the API keys does not answer.", ErrorMap.Retry(TimeSpan.FromSeconds(2)), ErrorMap.Info("DATABASE_UNAVAILABLE"))));
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. options.CorsOrigins]).AllowAnyHeader().AllowAnyMethod().WithExposedHeaders(ExposedHeaders)));
    }

    /// <summary>Puts the door before all endpoints.</summary>
    public static void UseAccess(this WebApplication app)
    {
        if (app.Services.GetRequiredService<AccessOptions>().CorsOrigins.Count > 0)
            app.UseCors();
        app.UseMiddleware<AccessMiddleware>();
        app.UseMiddleware<IdempotencyMiddleware>();
        app.UseMiddleware<LimitsMiddleware>();
        app.MapGrpcService<AccessEndpoint>();
    }
}
