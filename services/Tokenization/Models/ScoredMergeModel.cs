using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>
/// SentencePiece BPE as GGUF stores it: no list of merges, two neighbours merge when their joined text is a token,
/// the highest score first, then the leftmost. Characters that are no token become byte tokens.
/// </summary>
internal sealed class ScoredMergeModel(Vocabulary vocabulary, float[] scores, int? unknownId) : ITokenModel
{
    private readonly int[] _byteTokens = vocabulary.ByteTokens();
    private readonly int _maxLength = MaxLength(vocabulary);

    private static int MaxLength(Vocabulary vocabulary)
    {
        var max = 1;
        for (var id = 0; id < vocabulary.Size; id++)
            max = Math.Max(max, vocabulary.Piece(id)?.Length ?? 0);
        return max;
    }

    public void Tokenize(TextPiece piece, TokenSink sink)
    {
        if (piece.Length == 0)
            return;
        // A symbol is its length in code points; its head is its first code point.
        var lengths = new List<int>(piece.Length);
        for (var i = 0; i < piece.Length; i++)
            lengths.Add(1);
        var heads = new List<int>(piece.Length);
        new MergeQueue().Run(lengths, heads, (int head, int left, int right, out long rank, out int merged) =>
        {
            merged = left + right;
            rank = 0;
            if (merged > _maxLength || !vocabulary.TryGetId(piece.CodePoints.Slice(head, merged), out var id))
                return false;
            rank = Rank(scores[id]);
            return true;
        });

        Span<byte> bytes = stackalloc byte[4];
        for (var k = 0; k < heads.Count; k++)
        {
            var from = piece.From + heads[k];
            var (start, end) = (piece.Buffer.Start(from), piece.Buffer.End(from + lengths[k] - 1));
            if (vocabulary.TryGetId(piece.CodePoints.Slice(heads[k], lengths[k]), out var id))
            {
                sink.Add(id, start, end);
                continue;
            }

            // Only single characters can be missing: everything merged is a token.
            var n = TextBuffer.WriteUtf8(piece.Buffer[from], bytes);
            var exact = end - start == n;
            for (var b = 0; b < n; b++)
            {
                if (_byteTokens[bytes[b]] >= 0)
                {
                    sink.Add(_byteTokens[bytes[b]], exact ? start + b : start, exact ? start + b + 1 : end);
                }
                else if (unknownId is { } unknown)
                {
                    sink.Add(unknown, start, end);
                    break;
                }
            }
        }
    }

    /// <summary>Orders scores: the higher the score the smaller the rank; 0 and -0 are one score.</summary>
    private static long Rank(float score)
    {
        var bits = BitConverter.SingleToInt32Bits(score + 0f);
        return -(long)(bits >= 0 ? bits : int.MinValue - (long)bits);
    }
}
