using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>WordPiece: the longest token from the left, again and again; a word with a part that is no token is unknown as a whole.</summary>
/// <param name="initialPrefix">Written before the first part of a word ("▁" in GGUF, nothing in Hugging Face files).</param>
/// <param name="continuingPrefix">Written before the others ("##", nothing in GGUF).</param>
internal sealed class WordPieceModel(Vocabulary vocabulary, int unknownId, string initialPrefix, string continuingPrefix, int maxWordLength) : ITokenModel
{
    private readonly int _maxLength = Enumerable.Range(0, vocabulary.Size).Max(id => vocabulary.Piece(id)?.Length ?? 0);

    public void Tokenize(TextPiece piece, TokenSink sink)
    {
        if (piece.Length == 0)
            return;
        var parts = new List<(int Id, int From, int To)>();
        if (piece.Length > maxWordLength || !TryParts(piece.CodePoints, parts))
            parts = [(unknownId, 0, piece.Length)];
        foreach (var (id, from, to) in parts)
            sink.Add(id, piece.Buffer.Start(piece.From + from), piece.Buffer.End(piece.From + to - 1));
    }

    private bool TryParts(ReadOnlySpan<int> word, List<(int, int, int)> parts)
    {
        Span<char> chars = new char[(_maxLength * 2) + 2 + initialPrefix.Length + continuingPrefix.Length];
        for (var from = 0; from < word.Length;)
        {
            var prefix = from == 0 ? initialPrefix : continuingPrefix;
            prefix.CopyTo(chars);
            var to = Math.Min(word.Length, from + _maxLength);
            for (; to > from; to--)
            {
                var n = prefix.Length + CodePointStrings.WriteUtf16(word[from..to], chars[prefix.Length..]);
                if (!vocabulary.TryGetId(chars[..n], out var id))
                    continue;
                parts.Add((id, from, to));
                break;
            }

            if (to == from)
                return false;
            from = to;
        }

        return true;
    }
}

/// <summary>Every piece is a token, or unknown.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, int? unknownId) : ITokenModel
{
    public void Tokenize(TextPiece piece, TokenSink sink)
    {
        if (piece.Length == 0)
            return;
        if (!vocabulary.TryGetId(piece.CodePoints, out var id))
            id = unknownId ?? throw new TokenizerFormatException($"\"{piece}\" is not in the vocabulary, which has no unknown token");
        sink.Add(id, piece.Buffer.Start(piece.From), piece.Buffer.End(piece.To - 1));
    }
}
