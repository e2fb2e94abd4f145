namespace Slm.Tokenization.Patterns;

/// <summary>Code point properties by the names patterns use: general categories, scripts and a few derived ones.</summary>
internal static class UnicodeProperties
{
    /// <summary>Membership test of a property, or null when it is not known.</summary>
    public static Func<int, bool>? Find(string name)
    {
        foreach (var prefix in (ReadOnlySpan<string>)["gc=", "General_Category=", "Script=", "sc=", "Is"])
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                name = name[prefix.Length..];
        }

        return CharClass.GeneralCategory(name) ?? name switch
        {
            "Any" => static _ => true,
            "White_Space" or "Space" => CharClass.IsWhiteSpace,
            "Letter" => CharClass.GeneralCategory("L"),
            "Mark" => CharClass.GeneralCategory("M"),
            "Number" => CharClass.GeneralCategory("N"),
            "Punctuation" or "Punct" => CharClass.GeneralCategory("P"),
            "Symbol" => CharClass.GeneralCategory("S"),
            "Separator" => CharClass.GeneralCategory("Z"),
            "Uppercase_Letter" => CharClass.GeneralCategory("Lu"),
            "Lowercase_Letter" => CharClass.GeneralCategory("Ll"),
            "Decimal_Number" or "Digit" => CharClass.GeneralCategory("Nd"),
            _ when UnicodeScripts.Exists(name) => c => UnicodeScripts.Find(c) == name,
            _ => null,
        };
    }
}
