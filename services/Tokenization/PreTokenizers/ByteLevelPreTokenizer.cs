using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>Rewrites text in the byte-level alphabet, one character per UTF-8 byte; may first cut it into words as GPT-2 does.</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex) : IPreTokenizer
{
    /// <summary>GPT-2's words: contractions, letters, digits or other characters with their leading space, runs of white space.</summary>
    public const string WordPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly CodePointRegex Words = new(WordPattern);

    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        if (addPrefixSpace)
            pieces = [.. pieces.Select(AddPrefixSpace)];
        if (useRegex)
            pieces = new SplitPreTokenizer(Words, SplitBehavior.Isolated, invert: false).Split(pieces, isTextStart);

        var length = 0;
        foreach (var p in pieces)
            length += p.Length;
        var buffer = new TextBuffer(length + (length / 8));
        var output = new List<TextPiece>(pieces.Count);
        foreach (var p in pieces)
        {
            var from = buffer.Length;
            AppendBytes(p, buffer);
            output.Add(new TextPiece(buffer, from, buffer.Length));
        }

        return output;
    }

    private static TextPiece AddPrefixSpace(TextPiece piece)
    {
        if (piece.Length == 0 || piece.CodePoints[0] == ' ')
            return piece;
        var start = piece.Buffer.Start(piece.From);
        var buffer = new TextBuffer(piece.Length + 1);
        buffer.Add(' ', start, start);
        buffer.AddRange(piece.Buffer, piece.From, piece.To);
        return new TextPiece(buffer, 0, buffer.Length);
    }

    /// <summary>Appends the bytes of a piece. A code point that is as long as the original text it covers gives each byte its own offset.</summary>
    public static void AppendBytes(TextPiece piece, TextBuffer buffer)
    {
        Span<byte> bytes = stackalloc byte[4];
        for (var i = piece.From; i < piece.To; i++)
        {
            var n = TextBuffer.WriteUtf8(piece.Buffer[i], bytes);
            var (start, end) = (piece.Buffer.Start(i), piece.Buffer.End(i));
            var exact = end - start == n;
            for (var k = 0; k < n; k++)
                buffer.Add(ByteLevelAlphabet.ToChar(bytes[k]), exact ? start + k : start, exact ? start + k + 1 : end);
        }
    }
}
