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

    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);

    /// <summary>Adds all points of a metric.</summary>
    public void Add(Metric metric)
    {
        var monotonic = metric.MetricType is MetricType.LongSum or MetricType.DoubleSum;
        var histogram = metric.MetricType is MetricType.Histogram;
        if (metric.MetricType is MetricType.ExponentialHistogram)
            return;
        var name = NameOf(metric.Name, metric.Unit, monotonic, metric.MetricType is MetricType.LongGauge or MetricType.DoubleGauge);
        if (!_families.TryGetValue(name, out var family))
        {
            var head = new StringBuilder();
            if (metric.Description.Length > 0)
                head.Append("# HELP ").Append(name).Append(' ').Append(metric.Description.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n');
            head.Append("# TYPE ").Append(name).Append(' ').Append(monotonic ? "counter" : histogram ? "histogram" : "gauge").Append('\n');
            _families.Add(name, family = new Family(head.ToString()));
        }
        foreach (ref readonly var point in metric.GetMetricPoints())
        {
            var labels = Labels(point);
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    family.Add(name, labels, point.GetSumLong(), additive: true);
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    family.Add(name, labels, point.GetSumDouble(), additive: true);
                    break;
                case MetricType.LongGauge:
                    family.Add(name, labels, point.GetGaugeLastValueLong(), additive: false);
                    break;
                case MetricType.DoubleGauge:
                    family.Add(name, labels, point.GetGaugeLastValueDouble(), additive: false);
                    break;
                case MetricType.Histogram:
                    AddHistogram(family, name, labels, point);
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

    private static void AddHistogram(Family family, string name, string labels, in MetricPoint point)
    {
        long count = 0;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            count += bucket.BucketCount;
            var bound = double.IsPositiveInfinity(bucket.ExplicitBound) ? "+Inf" : Number(bucket.ExplicitBound);
            family.Add(name + "_bucket", Join(labels, $"le=\"{bound}\""), count, additive: true);
        }
        family.Add(name + "_sum", labels, point.GetHistogramSum(), additive: true);
        family.Add(name + "_count", labels, point.GetHistogramCount(), additive: true);
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

    private static string Number(double value) => double.IsNaN(value) ? "NaN"
        : double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>
    /// One metric's series in the order they came. Meters of the same name, as several hosts in one process have them, give
    /// the same series more than once, and a document may name it only once: sums are added, of gauges the last one counts.
    /// </summary>
    private sealed class Family(string head)
    {
        private readonly OrderedDictionary<string, double> _series = new(StringComparer.Ordinal);

        public void Add(string name, string labels, double value, bool additive)
        {
            var series = labels.Length > 0 ? $"{name}{{{labels}}}" : name;
            _series[series] = additive && _series.TryGetValue(series, out var before) ? before + value : value;
        }

        public override string ToString()
        {
            var text = new StringBuilder(head);
            foreach (var (series, value) in _series)
                text.Append(series).Append(' ').Append(Number(value)).Append('\n');
            return text.ToString();
        }
    }
}
