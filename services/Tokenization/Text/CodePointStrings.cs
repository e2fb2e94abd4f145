namespace Slm.Tokenization.Text;

/// <summary>Conversions between UTF-16 strings and code points.</summary>
internal static class CodePointStrings
{
    /// <summary>Code points of a string, lone surrogates as U+FFFD.</summary>
    public static int[] ToCodePoints(string text)
    {
        var result = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            result.Add(rune.Value);
        return [.. result];
    }

    /// <summary>Writes code points as UTF-16, returns the number of chars; <paramref name="chars"/> must hold two per code point.</summary>
    public static int WriteUtf16(ReadOnlySpan<int> codePoints, Span<char> chars)
    {
        var n = 0;
        foreach (var c in codePoints)
        {
            if (c < 0x10000)
            {
                chars[n++] = (char)c;
            }
            else
            {
                chars[n++] = (char)(0xD7C0 + (c >> 10));
                chars[n++] = (char)(0xDC00 + (c & 0x3FF));
            }
        }

        return n;
    }
}
