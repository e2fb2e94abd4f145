using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>Cuts where the script changes, as SentencePiece does: kana count as Han, spaces and inherited characters go with what is before.</summary>
internal sealed class UnicodeScriptsPreTokenizer : IPreTokenizer
{
    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        var output = new List<TextPiece>();
        foreach (var piece in pieces)
        {
            string? last = null;
            var from = piece.From;
            for (var i = piece.From; i < piece.To; i++)
            {
                var script = Script(piece.Buffer[i]);
                if (script is not null && last is not null && script != last)
                {
                    output.Add(new TextPiece(piece.Buffer, from, i));
                    from = i;
                }

                last = script ?? last;
            }

            if (from < piece.To)
                output.Add(new TextPiece(piece.Buffer, from, piece.To));
        }

        return output;
    }

    private static string? Script(int c) => c switch
    {
        ' ' => null,
        0x30FC => "Han",
        _ => UnicodeScripts.Find(c) switch
        {
            "Hiragana" or "Katakana" => "Han",
            "Inherited" => null,
            var s => s,
        },
    };
}

/// <summary>Cuts every so many code points.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : IPreTokenizer
{
    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        var output = new List<TextPiece>();
        foreach (var piece in pieces)
        {
            for (var from = piece.From; from < piece.To; from += length)
                output.Add(new TextPiece(piece.Buffer, from, Math.Min(piece.To, from + length)));
        }

        return output;
    }
}
