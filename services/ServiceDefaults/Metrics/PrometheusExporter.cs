using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Slm.ServiceDefaults.Metrics;

/// <summary>Hands the OpenTelemetry SDK's aggregated metrics to <c>/metrics</c> in Prometheus' text format, when asked.</summary>
[ExportModes(ExportModes.Pull)]
internal sealed class PrometheusExporter : BaseExporter<Metric>, IPullMetricExporter
{
    private readonly Lock _gate = new();
    private string _text = "";

    /// <summary>Set by the SDK's reader.</summary>
    public Func<int, bool>? Collect { get; set; }

    /// <summary>All metrics as they are now.</summary>
    public string Scrape()
    {
        lock (_gate)
        {
            _text = "";
            return Collect?.Invoke(10_000) == true ? _text : throw new UnreachableException("The metrics could not be collected.");
        }
    }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var writer = new PrometheusText();
        foreach (var metric in batch)
            writer.Add(metric);
        _text = writer.ToString();
        return ExportResult.Success;
    }
}
