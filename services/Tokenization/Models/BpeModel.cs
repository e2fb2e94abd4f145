using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>What a BPE model does beside merging.</summary>
internal sealed record BpeOptions
{
    public int? UnknownId { get; init; }

    /// <summary>Joins neighbouring unknown characters into one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Unknown characters become the byte tokens &lt;0xNN&gt; of their UTF-8 form.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A piece that is a token is that token, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Written before every character but the first of a piece ("##").</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Written after the last character of a piece ("&lt;/w&gt;").</summary>
    public string Suffix { get; init; } = "";
}

/// <summary>
/// Byte-pair encoding: the characters of a piece are merged in the order the merges were learned.
/// Own code because Microsoft.ML.Tokenizers' BpeTokenizer knows neither byte fallback, fused unknowns nor
/// ignore_merges, and gives offsets in UTF-16 units of normalized text, not in bytes of the original.
/// </summary>
internal sealed class BpeModel : ITokenModel
{
    private const int LargePiece = 100_000;
    private const int CachedLength = 32;
    private const int CacheSize = 32_768;
    private readonly Vocabulary _vocabulary;
    private readonly BpeOptions _options;
    private readonly Dictionary<ulong, (int Rank, int Merged)> _merges;
    private readonly Dictionary<int, int> _characters = [];
    private readonly int[] _byteTokens;
    private readonly MergeQueue.PairLookup _lookup;

    // Words seen so far: most of a text is a few thousand words. Only pieces whose symbols are their characters.
    private readonly ConcurrentDictionary<string, Cut> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Cut>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cacheCount;

    /// <summary>Tokens of a piece and the index of each one's first character.</summary>
    private sealed record Cut(int[] Ids, int[] Heads);

    [ThreadStatic]
    private static Workspace? Scratch;

    private sealed class Workspace
    {
        public MergeQueue Queue { get; } = new();

        public List<int> Ids { get; } = [];

        public List<int> Heads { get; } = [];

        public List<(int Start, int End)> Ranges { get; } = [];

        /// <summary>Every character was a token: symbols and characters are one to one.</summary>
        public bool Plain { get; set; }
    }

    /// <param name="merges">Pairs in order of rank.</param>
    /// <exception cref="TokenizerFormatException">A merge names a token the vocabulary lacks.</exception>
    public BpeModel(Vocabulary vocabulary, IReadOnlyList<(string Left, string Right)> merges, BpeOptions options)
    {
        _vocabulary = vocabulary;
        _options = options;
        _byteTokens = options.ByteFallback ? vocabulary.ByteTokens() : [];
        _merges = new Dictionary<ulong, (int, int)>(merges.Count);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right) = merges[rank];
            var l = Find(left, rank, left, right);
            var r = Find(right, rank, left, right);
            var tail = options.Prefix.Length > 0 && right.StartsWith(options.Prefix, StringComparison.Ordinal) ? right[options.Prefix.Length..] : right;
            var merged = Find(left + tail, rank, left, right);
            // A repeated pair keeps its last rank, as in Hugging Face tokenizers; well-formed files repeat none.
            _merges[Key(l, r)] = (rank, merged);
        }

        for (var id = 0; id < vocabulary.Size; id++)
        {
            var piece = vocabulary.Piece(id);
            if (piece is not null && piece.Length <= 2 && System.Text.Rune.TryGetRuneAt(piece, 0, out var rune) && rune.Utf16SequenceLength == piece.Length)
                _characters[rune.Value] = id;
        }

        _lookup = Lookup;
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    private int Find(string piece, int rank, string left, string right) =>
        _vocabulary.TryGetId(piece, out var id)
            ? id
            : throw new TokenizerFormatException($"merges[{rank}] = \"{left} {right}\": \"{piece}\" is not a token of the vocabulary");

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private bool Lookup(int head, int left, int right, out long rank, out int merged)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(_merges, Key(left, right));
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry))
        {
            (rank, merged) = (0, 0);
            return false;
        }

        (rank, merged) = entry;
        return true;
    }

    public void Tokenize(TextPiece piece, TokenSink sink)
    {
        if (piece.Length == 0)
            return;
        if (_options.IgnoreMerges && _vocabulary.TryGetId(piece.CodePoints, out var whole))
        {
            sink.Add(whole, piece.Buffer.Start(piece.From), piece.Buffer.End(piece.To - 1));
            return;
        }

        Span<char> key = stackalloc char[CachedLength * 2];
        if (piece.Length <= CachedLength)
        {
            key = key[..CodePointStrings.WriteUtf16(piece.CodePoints, key)];
            if (_cached.TryGetValue(key, out var cut))
            {
                for (var k = 0; k < cut.Ids.Length; k++)
                {
                    var last = piece.From + (k + 1 < cut.Heads.Length ? cut.Heads[k + 1] : piece.Length) - 1;
                    sink.Add(cut.Ids[k], piece.Buffer.Start(piece.From + cut.Heads[k]), Math.Max(piece.Buffer.End(piece.From + cut.Heads[k]), piece.Buffer.End(last)));
                }

                return;
            }
        }

        var w = Scratch ??= new Workspace();
        w.Ids.Clear();
        w.Ranges.Clear();
        w.Plain = true;
        for (var i = piece.From; i < piece.To; i++)
            AddCharacter(piece, i, w);
        var cacheable = piece.Length is > 1 and <= CachedLength && w.Plain;
        if (w.Ids.Count > 1)
        {
            w.Queue.Run(w.Ids, w.Heads, _lookup);
            for (var k = 0; k < w.Ids.Count; k++)
            {
                var last = (k + 1 < w.Heads.Count ? w.Heads[k + 1] : w.Ranges.Count) - 1;
                sink.Add(w.Ids[k], w.Ranges[w.Heads[k]].Start, Math.Max(w.Ranges[w.Heads[k]].End, w.Ranges[last].End));
            }
        }
        else if (w.Ids.Count == 1)
        {
            sink.Add(w.Ids[0], w.Ranges[0].Start, w.Ranges[0].End);
        }

        if (cacheable && _cacheCount < CacheSize && _cache.TryAdd(key.ToString(), new Cut([.. w.Ids], [.. w.Heads])))
            Interlocked.Increment(ref _cacheCount);
        if (piece.Length > LargePiece)
            Scratch = null; // Not kept for the life of the thread.
    }

    private void AddCharacter(TextPiece piece, int i, Workspace w)
    {
        var c = piece.Buffer[i];
        var (start, end) = (piece.Buffer.Start(i), piece.Buffer.End(i));
        int id;
        bool known;
        if (_options.Prefix.Length + _options.Suffix.Length == 0)
        {
            known = _characters.TryGetValue(c, out id);
        }
        else
        {
            var text = (i > piece.From ? _options.Prefix : "") + char.ConvertFromUtf32(c) + (i == piece.To - 1 ? _options.Suffix : "");
            known = _vocabulary.TryGetId(text, out id);
        }

        if (known)
        {
            w.Ids.Add(id);
            w.Ranges.Add((start, end));
            return;
        }

        w.Plain = false;
        if (_options.ByteFallback && TryBytes(c, start, end, w))
            return;
        if (_options.UnknownId is not { } unknown)
            return; // Nothing can stand for it: left out, as the reference implementations do.
        if (_options.FuseUnknown && w.Ids.Count > 0 && w.Ids[^1] == unknown)
        {
            w.Ranges[^1] = (w.Ranges[^1].Start, end);
            return;
        }

        w.Ids.Add(unknown);
        w.Ranges.Add((start, end));
    }

    private bool TryBytes(int c, int start, int end, Workspace w)
    {
        Span<byte> bytes = stackalloc byte[4];
        var n = TextBuffer.WriteUtf8(c, bytes);
        for (var k = 0; k < n; k++)
        {
            if (_byteTokens[bytes[k]] < 0)
                return false;
        }

        var exact = end - start == n;
        for (var k = 0; k < n; k++)
        {
            w.Ids.Add(_byteTokens[bytes[k]]);
            w.Ranges.Add(exact ? (start + k, start + k + 1) : (start, end));
        }

        return true;
    }
}
