using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Slm.ServiceDefaults.Metrics;

/// <summary>OpenTelemetry: what is collected, and where it goes.</summary>
internal static class Telemetry
{
    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
    private static readonly double[] Counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        var exporter = new PrometheusExporter();
        builder.Services.AddSingleton(exporter);
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource =>
            {
                // The environment (OTEL_SERVICE_NAME) wins over the program's name.
                if (string.IsNullOrEmpty(builder.Configuration["OTEL_SERVICE_NAME"]))
                    resource.AddService(builder.Environment.ApplicationName);
            })
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation().AddHttpClientInstrumentation().AddRuntimeInstrumentation()
                .AddMeter("Slm.*", "Microsoft.Orleans", "Npgsql", "MassTransit")
                .AddView(Buckets)
                .AddReader(new BaseExportingMetricReader(exporter)))
            .WithTracing(tracing => tracing
                .AddSource("Slm.*", "Microsoft.Orleans.Runtime", "Microsoft.Orleans.Application", "MassTransit", "Npgsql")
                .AddAspNetCoreInstrumentation(o => o.Filter = context => !context.Request.Path.StartsWithSegments("/health") && !context.Request.Path.StartsWithSegments("/alive") && !context.Request.Path.StartsWithSegments("/metrics"))
                .AddHttpClientInstrumentation());
        builder.Services.ConfigureOpenTelemetryMeterProvider((services, metrics) =>
        {
            var own = services.GetRequiredService<IMeterFactory>();
            metrics.AddView(instrument => Foreign(instrument, own));
        });
        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            telemetry.UseOtlpExporter();
    }

    /// <summary>
    /// Leaves out what another host of this process measures. A listener hears all of them, the SDK takes instruments of one
    /// name for one metric, and the first host that ends would end that metric for those that go on.
    /// </summary>
    private static MetricStreamConfiguration? Foreign(Instrument instrument, IMeterFactory own) =>
        instrument.Meter.Scope is IMeterFactory other && !ReferenceEquals(other, own) ? MetricStreamConfiguration.Drop : null;

    private static ExplicitBucketHistogramConfiguration? Buckets(Instrument instrument) =>
        !instrument.GetType().Name.StartsWith("Histogram", StringComparison.Ordinal) || !instrument.Meter.Name.StartsWith("Slm.", StringComparison.Ordinal) ? null
        : new ExplicitBucketHistogramConfiguration { Boundaries = instrument.Unit == "s" ? Seconds : Counts };
}
