using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>Where SentencePiece's leading space is added.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>Writes spaces as a visible character, adds one in front, and cuts before each.</summary>
internal sealed class MetaspacePreTokenizer(int replacement, PrependScheme scheme, bool split) : IPreTokenizer
{
    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        var output = new List<TextPiece>();
        for (var n = 0; n < pieces.Count; n++)
        {
            var piece = pieces[n];
            if (piece.Length == 0)
                continue;
            var buffer = new TextBuffer(piece.Length + 1);
            var first = piece.CodePoints[0];
            if ((scheme == PrependScheme.Always || (scheme == PrependScheme.First && isTextStart && n == 0)) && first != ' ' && first != replacement)
                buffer.Add(replacement, piece.Buffer.Start(piece.From), piece.Buffer.Start(piece.From));
            for (var i = piece.From; i < piece.To; i++)
                buffer.Add(piece.Buffer[i] == ' ' ? replacement : piece.Buffer[i], piece.Buffer.Start(i), piece.Buffer.End(i));
            Cut(buffer, output);
        }

        return output;
    }

    private void Cut(TextBuffer buffer, List<TextPiece> output)
    {
        var from = 0;
        for (var i = 1; split && i < buffer.Length; i++)
        {
            if (buffer[i] == replacement)
            {
                output.Add(new TextPiece(buffer, from, i));
                from = i;
            }
        }

        output.Add(new TextPiece(buffer, from, buffer.Length));
    }
}
