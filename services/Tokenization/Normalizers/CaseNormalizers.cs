using System.Globalization;
using System.Text;
using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;
using Slm.Tokenization.Unicode;

namespace Slm.Tokenization.Normalizers;

/// <summary>Lower case code point by code point; U+0130 is the only one that becomes two.</summary>
internal sealed class LowercaseNormalizer : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == 0x130)
            {
                output.Add('i', text.Start(i), text.End(i));
                output.Add(0x307, text.Start(i), text.End(i));
                continue;
            }

            output.Add(c < 0x80 ? (c is >= 'A' and <= 'Z' ? c + 32 : c) : Rune.ToLowerInvariant(new Rune(c)).Value, text.Start(i), text.End(i));
        }

        return output;
    }
}

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var (from, to) = (0, text.Length);
        while (left && from < to && CharClass.IsWhiteSpace(text[from]))
            from++;
        while (right && to > from && CharClass.IsWhiteSpace(text[to - 1]))
            to--;
        var output = new TextBuffer(to - from);
        output.AddRange(text, from, to);
        return output;
    }
}

/// <summary>Keeps the code points that pass.</summary>
internal sealed class FilterNormalizer(Func<int, bool> keep) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (keep(text[i]))
                output.Add(text[i], text.Start(i), text.End(i));
        }

        return output;
    }
}

/// <summary>Replaces what a pattern matches; the replacement covers the bytes of the match.</summary>
internal sealed class ReplaceNormalizer(CodePointRegex pattern, string content) : ITextNormalizer
{
    private readonly int[] _content = CodePointStrings.ToCodePoints(content);

    public TextBuffer Normalize(TextBuffer text)
    {
        var matches = pattern.Matches(text.CodePoints);
        if (matches.Count == 0)
            return text;
        var output = new TextBuffer(text.Length);
        var at = 0;
        foreach (var (start, end) in matches)
        {
            output.AddRange(text, at, start);
            foreach (var c in _content)
                output.Add(c, text.Start(start), text.End(end - 1));
            at = end;
        }

        output.AddRange(text, at, text.Length);
        return output;
    }
}

/// <summary>The clean-up of "nmt" SentencePiece models: controls go, odd spaces become spaces.</summary>
internal sealed class NmtNormalizer : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F)
                continue;
            var space = c is 9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD;
            output.Add(space ? ' ' : c, text.Start(i), text.End(i));
        }

        return output;
    }
}

/// <summary>Text in the byte-level alphabet.</summary>
internal sealed class ByteLevelNormalizer : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length * 2);
        PreTokenizers.ByteLevelPreTokenizer.AppendBytes(new TextPiece(text, 0, text.Length), output);
        return output;
    }
}

/// <summary>BERT's clean-up, in this order: controls and white space, spaces around ideographs, accents, case.</summary>
internal sealed class BertNormalizer(bool cleanText, bool spaceIdeographs, bool stripAccents, bool lowercase) : ITextNormalizer
{
    private static readonly UnicodeNormalizer Decompose = new(compatibility: false, compose: false);
    private static readonly LowercaseNormalizer Lower = new();
    private static readonly FilterNormalizer WithoutAccents = new(static c => CharClass.Category(c) != UnicodeCategory.NonSpacingMark);

    public TextBuffer Normalize(TextBuffer text)
    {
        if (cleanText)
            text = Clean(text);
        if (spaceIdeographs)
            text = SpaceIdeographs(text);
        if (stripAccents)
            text = WithoutAccents.Normalize(Decompose.Normalize(text));
        return lowercase ? Lower.Normalize(text) : text;
    }

    private static TextBuffer Clean(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var space = CharClass.IsWhiteSpace(c);
            var control = c is not ('\t' or '\n' or '\r')
                && CharClass.Category(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse;
            if (c is 0 or 0xFFFD || (control && c is not ('\t' or '\n' or '\r')))
                continue;
            output.Add(space ? ' ' : c, text.Start(i), text.End(i));
        }

        return output;
    }

    private static TextBuffer SpaceIdeographs(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var ideograph = text[i] is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
                or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF)
                or (>= 0x2F800 and <= 0x2FA1F);
            if (ideograph)
                output.Add(' ', text.Start(i), text.Start(i));
            output.Add(text[i], text.Start(i), text.End(i));
            if (ideograph)
                output.Add(' ', text.End(i), text.End(i));
        }

        return output;
    }
}
