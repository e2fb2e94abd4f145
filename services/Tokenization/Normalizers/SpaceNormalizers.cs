using Slm.Tokenization.Text;

namespace Slm.Tokenization.Normalizers;

/// <summary>Applies normalizers one after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<ITextNormalizer> steps) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        foreach (var step in steps)
            text = step.Normalize(text);
        return text;
    }
}

/// <summary>Puts a text in front of one that is not empty; the addition covers no original bytes.</summary>
internal sealed class PrependNormalizer(string prefix) : ITextNormalizer
{
    private readonly int[] _prefix = CodePointStrings.ToCodePoints(prefix);

    public TextBuffer Normalize(TextBuffer text)
    {
        if (text.Length == 0)
            return text;
        var output = new TextBuffer(text.Length + _prefix.Length);
        foreach (var c in _prefix)
            output.Add(c, text.Start(0), text.Start(0));
        output.AddRange(text, 0, text.Length);
        return output;
    }
}

/// <summary>Replaces one code point by another.</summary>
internal sealed class ReplaceCodePointNormalizer(int from, int to) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        if (!text.CodePoints.Contains(from))
            return text;
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
            output.Add(text[i] == from ? to : text[i], text.Start(i), text.End(i));
        return output;
    }
}

/// <summary>SentencePiece's remove_extra_whitespaces: no space at the ends, no two in a row.</summary>
internal sealed class CollapseSpacesNormalizer : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != ' ')
            {
                output.Add(text[i], text.Start(i), text.End(i));
                continue;
            }

            var next = i + 1;
            while (next < text.Length && text[next] == ' ')
                next++;
            if (output.Length > 0 && next < text.Length)
                output.Add(' ', text.Start(i), text.End(next - 1));
            i = next - 1;
        }

        return output;
    }
}
