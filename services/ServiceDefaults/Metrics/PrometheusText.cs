using System.Globalization;
using System.Text;
using OpenTelemetry.Metrics;

namespace Slm.ServiceDefaults.Metrics;

/// <summary>
/// Prometheus' text format 0.0.4. Names follow OpenTelemetry's rules for Prometheus: other characters than letters, digits
/// and underscores become underscores, the unit is appended, counters end with <c>_total</c>.
/// </summary>
internal sealed class PrometheusText
{
    private static readonly Dictionary<string, string> Units = new(StringComparer.Ordinal)
    {
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["By"] = "bytes",
        ["%"] = "percent",
    };

    private readonly SortedDictionary<string, StringBuilder> _families = new(StringComparer.Ordinal);

    /// <summary>Adds all points of a metric.</summary>
    public void Add(Metric metric)
    {
        var monotonic = metric.MetricType is MetricType.LongSum or MetricType.DoubleSum;
        var histogram = metric.MetricType is MetricType.Histogram;
        if (metric.MetricType is MetricType.ExponentialHistogram)
            return;
        var name = NameOf(metric.Name, metric.Unit, monotonic, metric.MetricType is MetricType.LongGauge or MetricType.DoubleGauge);
        if (!_families.TryGetValue(name, out var text))
        {
            _families.Add(name, text = new StringBuilder());
            if (metric.Description.Length > 0)
                text.Append("# HELP ").Append(name).Append(' ').Append(metric.Description.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(monotonic ? "counter" : histogram ? "histogram" : "gauge").Append('\n');
        }
        foreach (ref readonly var point in metric.GetMetricPoints())
        {
            var labels = Labels(point);
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    Line(text, name, labels, point.GetSumLong());
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    Line(text, name, labels, point.GetSumDouble());
                    break;
                case MetricType.LongGauge:
                    Line(text, name, labels, point.GetGaugeLastValueLong());
                    break;
                case MetricType.DoubleGauge:
                    Line(text, name, labels, point.GetGaugeLastValueDouble());
                    break;
                case MetricType.Histogram:
                    AddHistogram(text, name, labels, point);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>The document.</summary>
    public override string ToString() => string.Concat(_families.Values);

    /// <summary>The Prometheus name of an instrument.</summary>
    internal static string NameOf(string instrument, string unit, bool monotonic, bool gauge)
    {
        var name = new StringBuilder(instrument.Length + 16);
        foreach (var c in instrument)
            name.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        if (char.IsAsciiDigit(name[0]))
            name.Insert(0, '_');
        // Annotations such as {token} are no units; the ratio of a gauge is.
        var suffix = unit == "1" ? gauge ? "ratio" : null : Units.GetValueOrDefault(unit);
        if (suffix is not null && !name.ToString().EndsWith("_" + suffix, StringComparison.Ordinal))
            name.Append('_').Append(suffix);
        if (monotonic && !name.ToString().EndsWith("_total", StringComparison.Ordinal))
            name.Append("_total");
        return name.ToString();
    }

    private static void AddHistogram(StringBuilder text, string name, string labels, in MetricPoint point)
    {
        long count = 0;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            count += bucket.BucketCount;
            var bound = double.IsPositiveInfinity(bucket.ExplicitBound) ? "+Inf" : Number(bucket.ExplicitBound);
            Line(text, name + "_bucket", Join(labels, $"le=\"{bound}\""), count);
        }
        Line(text, name + "_sum", labels, point.GetHistogramSum());
        Line(text, name + "_count", labels, point.GetHistogramCount());
    }

    private static string Labels(in MetricPoint point)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in point.Tags)
        {
            if (text.Length > 0)
                text.Append(',');
            foreach (var c in key)
                text.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
            text.Append("=\"").Append((Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
                .Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('"');
        }
        return text.ToString();
    }

    private static string Join(string labels, string label) => labels.Length == 0 ? label : $"{labels},{label}";

    private static void Line(StringBuilder text, string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0)
            text.Append('{').Append(labels).Append('}');
        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Number(double value) => double.IsNaN(value) ? "NaN"
        : double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString("R", CultureInfo.InvariantCulture);
}
