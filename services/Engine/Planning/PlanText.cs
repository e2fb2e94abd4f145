using System.Globalization;
using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Numbers as the planner's sentences have them.</summary>
internal static class PlanText
{
    /// <summary>Exactly, as errors need them.</summary>
    public static string Exact(long bytes) => bytes.ToString("N0", CultureInfo.InvariantCulture) + " bytes";

    /// <summary>Roughly, in binary units.</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        >= 1L << 30 => Number(bytes / (1L << 30)) + " GiB",
        >= 1L << 20 => Number(bytes / (1L << 20)) + " MiB",
        >= 1L << 10 => Number(bytes / (1L << 10)) + " KiB",
        _ => Number(bytes) + " bytes",
    };

    /// <summary>Seconds, milliseconds or microseconds.</summary>
    public static string Seconds(double seconds) => seconds switch
    {
        >= 1 => Number(seconds) + " s",
        >= 1e-3 => Number(seconds * 1e3) + " ms",
        _ => Number(seconds * 1e6) + " µs",
    };

    /// <summary>A share of a whole.</summary>
    public static string Percent(double share) => Math.Round(share * 100).ToString(CultureInfo.InvariantCulture) + " %";

    /// <summary>Three digits that count.</summary>
    public static string Number(double value) => value switch
    {
        >= 100 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    /// <summary>Layers with both ends.</summary>
    public static string Layers(LayerRange range) => range.Count == 1 ? $"layer {range.First}" : $"layers {range.First} to {range.End - 1}";

    /// <summary>A count with its noun.</summary>
    public static string Count(int count, string one, string? several = null) => count == 1 ? $"1 {one}" : $"{count.ToString("N0", CultureInfo.InvariantCulture)} {several ?? one + "s"}";
}
