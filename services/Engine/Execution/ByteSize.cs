using System.Buffers;
using System.Globalization;

namespace Slm.Engine.Execution;

/// <summary>Sizes of memory as people write them: 512MiB, 1.5GiB, 800MB, 65536.</summary>
public static class ByteSize
{
    /// <summary>What is understood, for messages.</summary>
    public const string Rule = "a number of bytes, or one with KiB, MiB, GiB, KB, MB or GB, such as 512MiB";

    private const double Most = 1L << 50;
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    /// <summary>Reads a size; false if it is none, or not in 1 byte to 1 PiB.</summary>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        var trimmed = (text ?? "").Trim();
        var digits = trimmed.AsSpan().IndexOfAnyExcept(Digits);
        var (number, unit) = digits < 0 ? (trimmed, "") : (trimmed[..digits], trimmed[digits..].Trim());
        double? factor = unit.ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "KIB" => 1L << 10,
            "MIB" => 1L << 20,
            "GIB" => 1L << 30,
            "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            _ => null,
        };
        if (factor is null || !double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
            return false;
        var size = Math.Floor(value * factor.Value);
        if (!(size >= 1 && size <= Most))
            return false;
        bytes = (long)size;
        return true;
    }
}
