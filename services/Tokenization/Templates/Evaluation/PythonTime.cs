using System.Globalization;
using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>Python's strftime in the C locale, with glibc's "-" flag against padding.</summary>
internal static class PythonTime
{
    public static string Format(DateTimeOffset now, string format)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 >= format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            var c = format[++i];
            var plain = c == '-' && i + 1 < format.Length;
            if (plain) c = format[++i];
            var part = Directive(now, c) ?? "%" + (plain ? "-" : "") + c;
            if (plain && part.Length > 1) part = part.TrimStart('0', ' ') is { Length: > 0 } kept ? kept : "0";
            text.Append(part);
        }
        RenderBudget.ChargeText(text.Length);
        return text.ToString();
    }

    private static string? Directive(DateTimeOffset now, char c)
    {
        var culture = CultureInfo.InvariantCulture;
        var hour12 = now.Hour % 12 == 0 ? 12 : now.Hour % 12;
        return c switch
        {
            'Y' => now.Year.ToString("0000", culture),
            'y' => (now.Year % 100).ToString("00", culture),
            'm' => now.Month.ToString("00", culture),
            'd' => now.Day.ToString("00", culture),
            'e' => now.Day.ToString(culture).PadLeft(2),
            'B' => now.ToString("MMMM", culture),
            'b' or 'h' => now.ToString("MMM", culture),
            'A' => now.ToString("dddd", culture),
            'a' => now.ToString("ddd", culture),
            'H' => now.Hour.ToString("00", culture),
            'I' => hour12.ToString("00", culture),
            'M' => now.Minute.ToString("00", culture),
            'S' => now.Second.ToString("00", culture),
            'f' => (now.Ticks % TimeSpan.TicksPerSecond / 10).ToString("000000", culture),
            'p' => now.Hour < 12 ? "AM" : "PM",
            'j' => now.DayOfYear.ToString("000", culture),
            'u' => (now.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)now.DayOfWeek).ToString(culture),
            'w' => ((int)now.DayOfWeek).ToString(culture),
            'F' => now.ToString("yyyy-MM-dd", culture),
            'T' => now.ToString("HH:mm:ss", culture),
            'R' => now.ToString("HH:mm", culture),
            'D' or 'x' => now.ToString("MM/dd/yy", culture),
            'X' => now.ToString("HH:mm:ss", culture),
            'c' => now.ToString("ddd MMM ", culture) + now.Day.ToString(culture).PadLeft(2) + now.ToString(" HH:mm:ss yyyy", culture),
            'z' or 'Z' => "",
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            _ => null,
        };
    }
}
