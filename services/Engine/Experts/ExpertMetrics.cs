using System.Diagnostics.Metrics;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Experts;

/// <summary>Names of the metrics of experts read from disk. Every measurement carries the tag <see cref="ModelTag"/>.</summary>
public static class ExpertMetrics
{
    /// <summary>Tag with the model's file name.</summary>
    public const string ModelTag = EngineMetrics.ModelTag;

    /// <summary>Visited experts that were in memory.</summary>
    public const string Hits = "slm.engine.experts.hits";

    /// <summary>Visited experts that were not.</summary>
    public const string Misses = "slm.engine.experts.misses";

    /// <summary>Bytes read from the model's file.</summary>
    public const string Read = "slm.engine.experts.read";

    /// <summary>Time in which steps waited for experts.</summary>
    public const string Stall = "slm.engine.experts.stall";

    private static readonly Meter Meter = new(EngineMetrics.MeterName);

    internal static readonly Counter<long> HitCount = Meter.CreateCounter<long>(Hits, "{expert}", "Visited experts that were in memory.");
    internal static readonly Counter<long> MissCount = Meter.CreateCounter<long>(Misses, "{expert}", "Visited experts that were not in memory.");
    internal static readonly Counter<long> ReadBytes = Meter.CreateCounter<long>(Read, "By", "Bytes of experts read from the model's file.");
    internal static readonly Counter<double> StallSeconds = Meter.CreateCounter<double>(Stall, "s", "Time in which steps waited for experts.");
}
