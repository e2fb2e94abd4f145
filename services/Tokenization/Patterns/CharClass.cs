using System.Globalization;

namespace Slm.Tokenization.Patterns;

/// <summary>
/// A set of code points, filled page by page (256 at a time) on first use, so that a test is two array reads for
/// any plane. .NET's own Regex classes see UTF-16 units: \p{L} never matches an astral letter there, which is why
/// they are not used.
/// </summary>
internal sealed class CharClass(Func<int, bool> contains)
{
    private const int Pages = 0x1100;
    private readonly ulong[]?[] _pages = new ulong[]?[Pages];

    public bool Contains(int codePoint)
    {
        var page = _pages[codePoint >> 8] ?? Fill(codePoint >> 8);
        return (page[(codePoint >> 6) & 3] >> (codePoint & 63) & 1) != 0;
    }

    private ulong[] Fill(int page)
    {
        var bits = new ulong[4];
        for (var i = 0; i < 256; i++)
        {
            if (contains((page << 8) | i))
                bits[i >> 6] |= 1ul << (i & 63);
        }

        return _pages[page] = bits;
    }

    /// <summary>Unicode White_Space: what \s means in the engines tokenizers were trained with.</summary>
    public static bool IsWhiteSpace(int c) => c switch
    {
        <= 0xFF => c is (>= 9 and <= 13) or 32 or 0x85 or 0xA0,
        _ => c is 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000,
    };

    public static UnicodeCategory Category(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>\w as UTS 18 and Rust define it: Alphabetic, marks, decimal digits, connector punctuation, join controls.</summary>
    public static bool IsWord(int c) => c is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
        or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189) || Category(c) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber
        or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation;

    public static bool IsPunctuation(int c) => Category(c) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    public static bool IsNumber(int c) => Category(c) is >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber;

    public static bool IsMark(int c) => Category(c) is >= UnicodeCategory.NonSpacingMark and <= UnicodeCategory.EnclosingMark;

    /// <summary>Membership test of a general category by its one or two letter name, or null when the name is none.</summary>
    public static Func<int, bool>? GeneralCategory(string name)
    {
        ulong mask = 0;
        for (var i = 0; i < CategoryNames.Length; i++)
        {
            if (CategoryNames[i] == name || (name.Length == 1 && CategoryNames[i][0] == name[0]))
                mask |= 1ul << i;
        }

        if (name is "LC" or "L&")
            mask = 0b111;
        return mask == 0 ? null : c => (mask >> (int)Category(c) & 1) != 0;
    }

    // In the order of UnicodeCategory.
    private static readonly string[] CategoryNames =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co",
        "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];
}
