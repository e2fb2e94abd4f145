using System.Globalization;

namespace Slm.Cli.Output;

/// <summary>Large numbers for people.</summary>
internal static class Quantity
{
    public static string Count(long value) => value switch
    {
        >= 1_000_000_000 => Text(value / 1e9, "B"),
        >= 1_000_000 => Text(value / 1e6, "M"),
        >= 1_000 => Text(value / 1e3, "k"),
        _ => value.ToString(CultureInfo.InvariantCulture),
    };

    public static string Bytes(long value) => value switch
    {
        >= 1L << 30 => Text(value / (double)(1L << 30), " GiB"),
        >= 1L << 20 => Text(value / (double)(1L << 20), " MiB"),
        >= 1L << 10 => Text(value / (double)(1L << 10), " KiB"),
        _ => value.ToString(CultureInfo.InvariantCulture) + " B",
    };

    private static string Text(double value, string unit) => value.ToString("0.0", CultureInfo.InvariantCulture) + unit;
}
