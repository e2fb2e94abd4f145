using Google.Protobuf.Reflection;
using Grpc.AspNetCore.HealthChecks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Slm.ServiceDefaults.Errors;
using Slm.ServiceDefaults.Metrics;

namespace Slm.ServiceDefaults;

/// <summary>What every service does alike: listening, telemetry, health, resilience, error mapping.</summary>
public static class ServiceDefaultsExtensions
{
    private const string LiveTag = "live";

    /// <summary>Adds the defaults. Call it once per process, first.</summary>
    /// <exception cref="OptionException">A setting is not usable.</exception>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddLogDefaults();
        var options = PlatformOptions.From(builder.Configuration);
        builder.Services.AddSingleton(options);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<InternalCalls>();
        builder.Services.Configure<KestrelServerOptions>(kestrel => Listen(kestrel, options));
        builder.AddTelemetry();

        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        builder.Services.AddServiceDiscovery();
        // For the factory's clients: short, repeatable calls. Streams and gRPC channels have handlers of their own, since a total
        // time-out would cut them and a generation must not be sent twice.
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler(o => o.Retry.DisableForUnsafeHttpMethods());
            http.AddServiceDiscovery();
        });

        builder.Services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<StatusInterceptor>();
            grpc.MaxReceiveMessageSize = options.MaxRequestBytes;
            grpc.MaxSendMessageSize = null;
        }).AddJsonTranscoding(json => json.TypeRegistry = TypeRegistry.FromFiles(Google.Rpc.ErrorDetailsReflection.Descriptor));
        builder.Services.AddGrpcReflection();
        builder.Services.AddGrpcHealthChecks(health => health.Services.Map("", _ => true));
        return builder;
    }

    /// <summary>Reports a gRPC service by its full name, such as <c>slm.v1.InferenceService</c>, in <c>grpc.health.v1</c>.</summary>
    public static IServiceCollection AddGrpcServiceHealth(this IServiceCollection services, string service) =>
        services.Configure<GrpcHealthChecksOptions>(health => health.Services.Map(service, _ => true));

    /// <summary>Maps <c>/health</c> (ready), <c>/alive</c> (live), <c>/metrics</c>, gRPC health and reflection.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks("/health").AllowAnonymous().DisableHttpMetrics();
        app.MapHealthChecks("/alive", new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) }).AllowAnonymous().DisableHttpMetrics();
        app.MapGet("/metrics", (PrometheusExporter exporter) => Results.Text(exporter.Scrape(), "text/plain; version=0.0.4; charset=utf-8")).AllowAnonymous().DisableHttpMetrics();
        app.MapGrpcHealthChecksService().AllowAnonymous();
        app.MapGrpcReflectionService().AllowAnonymous();
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, PlatformOptions options)
    {
        kestrel.AddServerHeader = false;
        Bind(options.Http, HttpProtocols.Http1);
        Bind(options.Grpc, HttpProtocols.Http2);

        void Bind(IEnumerable<ListenAddress> addresses, HttpProtocols protocols)
        {
            foreach (var (address, port) in addresses)
            {
                if (address is null)
                    kestrel.ListenAnyIP(port, listen => listen.Protocols = protocols);
                else
                    kestrel.Listen(address, port, listen => listen.Protocols = protocols);
            }
        }
    }

    /// <summary>One line per event; frameworks only when something is wrong. Everything can be set otherwise under <c>Logging</c>.</summary>
    private static void AddLogDefaults(this IHostApplicationBuilder builder)
    {
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource
        {
            InitialData = new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Default"] = "Information",
                ["Logging:LogLevel:Microsoft"] = "Warning",
                ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Information",
                ["Logging:LogLevel:Orleans"] = "Warning",
                // Its first check counts from the machine's start and warns of hours that never passed.
                ["Logging:LogLevel:Orleans.Runtime.Watchdog"] = "Error",
                // It repeats what its users report.
                ["Logging:LogLevel:Polly"] = "None",
                ["Logging:LogLevel:Grpc"] = "Warning",
                ["Logging:LogLevel:System.Net.Http"] = "Warning",
                ["Logging:Console:FormatterName"] = ConsoleFormatterNames.Simple,
                ["Logging:Console:FormatterOptions:SingleLine"] = "true",
                ["Logging:Console:FormatterOptions:IncludeScopes"] = "false",
                ["Logging:Console:FormatterOptions:TimestampFormat"] = "HH:mm:ss.fff ",
            },
        });
    }
}
