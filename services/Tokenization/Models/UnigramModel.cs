using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>
/// Unigram language model (Kudo, "Subword Regularization", 2018): the segmentation with the highest sum of token
/// scores, found by Viterbi over a trie. An unknown character costs the lowest score minus 10, as in SentencePiece;
/// neighbouring unknown characters are one token.
/// </summary>
internal sealed class UnigramModel : ITokenModel
{
    private const double UnknownPenalty = 10;
    private readonly Dictionary<ulong, int> _edges = [];
    private readonly List<int> _idAtNode = [-1];
    private readonly double[] _scores;
    private readonly int _unknown;
    private readonly double _unknownScore;
    private readonly int[]? _byteTokens;

    /// <param name="scores">Log-probabilities by id.</param>
    /// <param name="usable">Which ids may be found in text.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int? unknownId, bool byteFallback, Func<int, bool> usable)
    {
        _scores = scores;
        _unknown = unknownId ?? -1;
        _unknownScore = (scores.Length == 0 ? 0 : scores.Min()) - UnknownPenalty;
        var bytes = byteFallback ? vocabulary.ByteTokens() : null;
        _byteTokens = bytes?.Contains(-1) == false ? bytes : null;
        for (var id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary.Piece(id) is not { Length: > 0 } piece || !usable(id))
                continue;
            var node = 0;
            foreach (var rune in piece.EnumerateRunes())
            {
                var key = ((ulong)node << 32) | (uint)rune.Value;
                if (!_edges.TryGetValue(key, out var child))
                {
                    _edges[key] = child = _idAtNode.Count;
                    _idAtNode.Add(-1);
                }

                node = child;
            }

            _idAtNode[node] = id;
        }
    }

    public void Tokenize(TextPiece piece, TokenSink sink)
    {
        var text = piece.CodePoints;
        var n = text.Length;
        var best = new double[n + 1];
        var from = new int[n + 1];
        var ids = new int[n + 1];
        Array.Fill(from, -1);
        for (var start = 0; start < n; start++)
        {
            var (node, single) = (0, false);
            for (var end = start; end < n && _edges.TryGetValue(((ulong)node << 32) | (uint)text[end], out node);)
            {
                end++;
                var id = _idAtNode[node];
                if (id < 0)
                    continue;
                Relax(best, from, ids, start, end, best[start] + _scores[id], id);
                single |= end == start + 1;
            }

            if (!single)
                Relax(best, from, ids, start, start + 1, best[start] + _unknownScore, _unknown);
        }

        var path = new List<int>();
        for (var end = n; end > 0; end = from[end])
            path.Add(end);
        for (var k = path.Count - 1; k >= 0; k--)
        {
            var (start, end) = (from[path[k]], path[k]);
            if (ids[end] != _unknown)
            {
                sink.Add(ids[end], piece.Buffer.Start(piece.From + start), piece.Buffer.End(piece.From + end - 1));
                continue;
            }

            while (k > 0 && ids[path[k - 1]] == _unknown)
                end = path[--k];
            AddUnknown(piece, start, end, sink);
        }
    }

    private static void Relax(double[] best, int[] from, int[] ids, int start, int end, double score, int id)
    {
        if (from[end] >= 0 && score <= best[end])
            return;
        (best[end], from[end], ids[end]) = (score, start, id);
    }

    private void AddUnknown(TextPiece piece, int from, int to, TokenSink sink)
    {
        var buffer = piece.Buffer;
        if (_byteTokens is null)
        {
            if (_unknown < 0)
                throw new TokenizerFormatException($"the vocabulary has no token for \"{buffer.Substring(piece.From + from, piece.From + to)}\" and no unknown token");
            sink.Add(_unknown, buffer.Start(piece.From + from), buffer.End(piece.From + to - 1));
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        for (var i = piece.From + from; i < piece.From + to; i++)
        {
            var n = TextBuffer.WriteUtf8(buffer[i], bytes);
            var exact = buffer.End(i) - buffer.Start(i) == n;
            for (var b = 0; b < n; b++)
                sink.Add(_byteTokens[bytes[b]], exact ? buffer.Start(i) + b : buffer.Start(i), exact ? buffer.Start(i) + b + 1 : buffer.End(i));
        }
    }
}
