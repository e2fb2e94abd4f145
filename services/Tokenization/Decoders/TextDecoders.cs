namespace Slm.Tokenization.Decoders;

/// <summary>Replaces a string in every token.</summary>
internal sealed class ReplaceDecoder(Func<string, string> replace) : DecoderStep
{
    public override void Push(string piece)
    {
        var text = replace(piece);
        if (text.Length > 0)
            Next!.Push(text);
    }

    public override string Middle(string piece) => replace(piece);
}

/// <summary>Removes up to <paramref name="count"/> of a character from the start of the text: the space SentencePiece puts before the first word.</summary>
internal sealed class StripTextStartDecoder(char content, int count) : DecoderStep
{
    private int _left = count;

    public override void Push(string piece)
    {
        var n = 0;
        while (_left > 0 && n < piece.Length && piece[n] == content)
        {
            n++;
            _left--;
        }

        if (n < piece.Length)
        {
            _left = 0;
            Next!.Push(n == 0 ? piece : piece[n..]);
        }
    }
}
