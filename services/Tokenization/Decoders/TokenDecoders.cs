using System.Text;

namespace Slm.Tokenization.Decoders;

/// <summary>Joins tokens with spaces: what a tokenizer without a decoder does.</summary>
internal sealed class JoinDecoder(bool isTextStart) : DecoderStep
{
    private bool _first = isTextStart;

    public override void Push(string piece)
    {
        Next!.Push(_first ? piece : " " + piece);
        _first = false;
    }

    public override string Middle(string piece) => " " + piece;
}

/// <summary>The visible space back to a space; in the first token it is dropped where one was added.</summary>
internal sealed class MetaspaceDecoder(string replacement, bool prepends, bool isTextStart) : DecoderStep
{
    private bool _first = isTextStart;

    public override void Push(string piece)
    {
        var text = piece.Replace(replacement, _first && prepends ? "" : " ", StringComparison.Ordinal);
        _first = false;
        Next!.Push(text);
    }

    public override string Middle(string piece) => piece.Replace(replacement, " ", StringComparison.Ordinal);
}

/// <summary>WordPiece: a part with the prefix continues a word, any other starts one.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup, bool isTextStart) : DecoderStep
{
    private bool _first = isTextStart;

    public override void Push(string piece)
    {
        Next!.Push(_first ? Clean(piece) : Middle(piece));
        _first = false;
    }

    public override string Middle(string piece) =>
        Clean(prefix.Length > 0 && piece.StartsWith(prefix, StringComparison.Ordinal) ? piece[prefix.Length..] : " " + piece);

    private string Clean(string text) => cleanup ? CleanUp(text) : text;

    /// <summary>Removes the spaces English tokenization puts before punctuation and contractions.</summary>
    public static string CleanUp(string text) => text
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal).Replace(" !", "!", StringComparison.Ordinal)
        .Replace(" ,", ",", StringComparison.Ordinal).Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal).Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal).Replace(" 're", "'re", StringComparison.Ordinal);
}

/// <summary>The end-of-word suffix becomes a space, except at the end of the text: one token is held back to know.</summary>
internal sealed class SuffixDecoder(string suffix) : DecoderStep
{
    private string? _held;

    public override void Push(string piece)
    {
        if (_held is not null)
            Next!.Push(Middle(_held));
        _held = piece;
    }

    public override void Flush()
    {
        if (_held is not null)
            Next!.Push(_held.Replace(suffix, "", StringComparison.Ordinal));
        _held = null;
        base.Flush();
    }

    public override string Middle(string piece) => piece.Replace(suffix, " ", StringComparison.Ordinal);
}

/// <summary>Connectionist temporal classification: repeated tokens are one, padding is nothing, the delimiter is a space.</summary>
internal sealed class CtcDecoder(string pad, string delimiter, bool cleanup) : DecoderStep
{
    private string? _last;

    public override void Push(string piece)
    {
        if (piece == _last)
            return;
        _last = piece;
        var text = Middle(piece);
        if (text.Length > 0)
            Next!.Push(text);
    }

    public override string Middle(string piece)
    {
        var text = pad.Length > 0 ? piece.Replace(pad, "", StringComparison.Ordinal) : piece;
        return cleanup && delimiter.Length > 0 ? WordPieceDecoder.CleanUp(text).Replace(delimiter, " ", StringComparison.Ordinal) : text;
    }
}

/// <summary>Removes a character from the ends of every token.</summary>
internal sealed class StripTokenDecoder(char content, int start, int stop) : DecoderStep
{
    public override void Push(string piece) => Next!.Push(Middle(piece));

    public override string Middle(string piece)
    {
        var (from, to) = (0, piece.Length);
        while (from < start && from < piece.Length && piece[from] == content)
            from++;
        while (piece.Length - to < stop && to > from && piece[to - 1] == content)
            to--;
        return piece[from..to];
    }
}

/// <summary>Removes a character from the end of the text: what may be it is held back.</summary>
internal sealed class StripTextEndDecoder(char content, int count) : DecoderStep
{
    private int _held;

    public override void Push(string piece)
    {
        var text = new string(content, _held) + piece;
        _held = 0;
        while (_held < count && _held < text.Length && text[text.Length - 1 - _held] == content)
            _held++;
        if (text.Length > _held)
            Next!.Push(text[..^_held]);
    }

    // What is held back is exactly what goes.
}

/// <summary>Replaces in the text as a whole: kept until the end, since a match may span any tokens.</summary>
internal sealed class ReplaceTextDecoder(Func<string, string> replace) : DecoderStep
{
    private readonly StringBuilder _text = new();

    public override void Push(string piece) => _text.Append(piece);

    public override void Flush()
    {
        if (_text.Length > 0)
            Next!.Push(replace(_text.ToString()));
        _text.Clear();
        base.Flush();
    }

    public override string Middle(string piece) => replace(piece);
}
