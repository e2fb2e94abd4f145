using System.Collections.Concurrent;
using System.Globalization;

namespace Slm.Engine.Constraints.Languages;

/// <summary>Sets of characters that regular expressions name (ECMA-262, and Unicode general categories).</summary>
internal static class UnicodeSets
{
    private static readonly Dictionary<string, string> LongNames = new(StringComparer.Ordinal)
    {
        ["Letter"] = "L",
        ["Uppercase_Letter"] = "Lu",
        ["Lowercase_Letter"] = "Ll",
        ["Titlecase_Letter"] = "Lt",
        ["Cased_Letter"] = "LC",
        ["Modifier_Letter"] = "Lm",
        ["Other_Letter"] = "Lo",
        ["Mark"] = "M",
        ["Combining_Mark"] = "M",
        ["Nonspacing_Mark"] = "Mn",
        ["Spacing_Mark"] = "Mc",
        ["Enclosing_Mark"] = "Me",
        ["Number"] = "N",
        ["Decimal_Number"] = "Nd",
        ["digit"] = "Nd",
        ["Letter_Number"] = "Nl",
        ["Other_Number"] = "No",
        ["Punctuation"] = "P",
        ["punct"] = "P",
        ["Connector_Punctuation"] = "Pc",
        ["Dash_Punctuation"] = "Pd",
        ["Open_Punctuation"] = "Ps",
        ["Close_Punctuation"] = "Pe",
        ["Initial_Punctuation"] = "Pi",
        ["Final_Punctuation"] = "Pf",
        ["Other_Punctuation"] = "Po",
        ["Symbol"] = "S",
        ["Math_Symbol"] = "Sm",
        ["Currency_Symbol"] = "Sc",
        ["Modifier_Symbol"] = "Sk",
        ["Other_Symbol"] = "So",
        ["Separator"] = "Z",
        ["Space_Separator"] = "Zs",
        ["Line_Separator"] = "Zl",
        ["Paragraph_Separator"] = "Zp",
        ["Other"] = "C",
        ["Control"] = "Cc",
        ["cntrl"] = "Cc",
        ["Format"] = "Cf",
        ["Private_Use"] = "Co",
        ["Unassigned"] = "Cn",
    };

    // In the order of UnicodeCategory.
    private static readonly string[] Categories =
        ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"];

    private static readonly ConcurrentDictionary<string, CharSet?> Known = new(StringComparer.Ordinal);

    /// <summary>\d.</summary>
    public static CharSet Digits { get; } = CharSet.Of('0', '9');

    /// <summary>\w.</summary>
    public static CharSet Word { get; } = CharSet.Of([('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]);

    /// <summary>\s: white space and line ends of ECMA-262.</summary>
    public static CharSet Space { get; } = CharSet.Of(
        [(9, 13), (' ', ' '), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)]);

    /// <summary>The dot: anything but a line end.</summary>
    public static CharSet Dot { get; } = CharSet.Of([('\n', '\n'), ('\r', '\r'), (0x2028, 0x2029)]).Complement();

    /// <summary>The set of \p{name}; null if the name is not known here.</summary>
    public static CharSet? Property(string name)
    {
        if (name.StartsWith("General_Category=", StringComparison.Ordinal) || name.StartsWith("gc=", StringComparison.Ordinal))
            name = name[(name.IndexOf('=') + 1)..];
        return Known.GetOrAdd(LongNames.GetValueOrDefault(name, name), static key => key switch
        {
            "Any" => CharSet.All,
            "ASCII" => CharSet.Of(0, 127),
            "LC" => Of("Lu").Union(Of("Ll")).Union(Of("Lt")),
            _ when key.Length == 1 && Categories.Any(c => c[0] == key[0]) =>
                Categories.Where(c => c[0] == key[0]).Select(Of).Aggregate(static (a, b) => a.Union(b)),
            _ when Categories.Contains(key) => Of(key),
            _ => null,
        });
    }

    private static CharSet Of(string category)
    {
        var wanted = (UnicodeCategory)Array.IndexOf(Categories, category);
        var ranges = new List<(int, int)>();
        var start = -1;
        for (var c = 0; c <= CharSet.End; c++)
        {
            var inside = c < CharSet.End && CharUnicodeInfo.GetUnicodeCategory(c) == wanted;
            if (inside && start < 0)
            {
                start = c;
            }
            else if (!inside && start >= 0)
            {
                ranges.Add((start, c - 1));
                start = -1;
            }
        }

        return CharSet.Of(ranges).Intersect(CharSet.All);
    }
}
