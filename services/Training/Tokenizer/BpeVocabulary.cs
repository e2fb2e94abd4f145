using System.Text;
using System.Text.RegularExpressions;

namespace Slm.Training.Tokenizer;

/// <summary>
/// A byte-level BPE vocabulary: ids 0…255 are single bytes in GPT-2's order, then one id for each merge, then the
/// end-of-text token, then unused entries up to the wanted size.
/// </summary>
public sealed partial class BpeVocabulary
{
    /// <summary>The only special token: it ends a document and, before the first token, starts one.</summary>
    public const string EndOfText = "<|endoftext|>";

    private readonly Dictionary<(int Left, int Right), int> _ranks = [];
    private readonly int[] _idOfByte = new int[256];
    private readonly List<byte[]> _bytes = [];

    /// <summary>A vocabulary of <paramref name="size"/> entries from merges in order of rank.</summary>
    /// <exception cref="ArgumentException">The size has no room for bytes, merges and the end-of-text token.</exception>
    public BpeVocabulary(IReadOnlyList<(int Left, int Right)> merges, int size)
    {
        if (size < 257 + merges.Count || size > ushort.MaxValue)
            throw new ArgumentException($"A vocabulary of {size} has no room for 256 bytes, {merges.Count} merges and one special token, or is above {ushort.MaxValue}.", nameof(size));
        (Merges, Size) = (merges, size);
        foreach (var value in ByteAlphabet.Order)
        {
            _idOfByte[value] = _bytes.Count;
            _bytes.Add([value]);
        }

        foreach (var merge in merges)
        {
            _ranks.Add(merge, _bytes.Count);
            _bytes.Add([.. _bytes[merge.Left], .. _bytes[merge.Right]]);
        }
    }

    /// <summary>Pairs of ids that join, best first; merge i makes id 256 + i.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges { get; }

    /// <summary>Number of entries.</summary>
    public int Size { get; }

    /// <summary>Id of <see cref="EndOfText"/>.</summary>
    public int EndOfTextId => 256 + Merges.Count;

    /// <summary>Bytes of a token; empty for the special and the unused ones.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => id < _bytes.Count ? _bytes[id] : [];

    /// <summary>Token as GPT-2 vocabularies write it: each byte a visible character.</summary>
    public string Piece(int id) => id == EndOfTextId ? EndOfText
        : id > EndOfTextId ? $"<|unused{id - EndOfTextId - 1}|>"
        : string.Concat(_bytes[id].Select(b => ByteAlphabet.Characters[b]));

    /// <summary>Text of ids; special tokens give nothing.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
            bytes.AddRange(Bytes(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>GPT-2's split of text into words, numbers, signs and spaces, which no token crosses.</summary>
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    public static partial Regex Words { get; }

    /// <summary>Encodes one word of the split: the pair of lowest rank joins first, from the left.</summary>
    internal ushort[] EncodeWord(ReadOnlySpan<char> word)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, utf8);
        var ids = new List<int>(utf8.Length);
        foreach (var value in utf8)
            ids.Add(_idOfByte[value]);
        while (ids.Count > 1)
        {
            var best = int.MaxValue;
            for (var i = 0; i + 1 < ids.Count; i++)
                if (_ranks.TryGetValue((ids[i], ids[i + 1]), out var id))
                    best = Math.Min(best, id);
            if (best == int.MaxValue)
                break;
            var (left, right) = Merges[best - 256];
            var kept = 0;
            for (var i = 0; i < ids.Count; i++)
                if (i + 1 < ids.Count && ids[i] == left && ids[i + 1] == right)
                {
                    ids[kept++] = best;
                    i++;
                }
                else
                {
                    ids[kept++] = ids[i];
                }

            ids.RemoveRange(kept, ids.Count - kept);
        }

        return [.. ids.Select(i => (ushort)i)];
    }

    /// <summary>An encoder that remembers words; one per thread.</summary>
    public BpeEncoder CreateEncoder() => new(this);
}

/// <summary>Encodes texts with a cache of words. Not thread-safe.</summary>
public sealed class BpeEncoder(BpeVocabulary vocabulary)
{
    private readonly Dictionary<string, ushort[]> _cache = [];

    /// <summary>Ids of <paramref name="text"/> without special tokens, appended to <paramref name="ids"/>.</summary>
    public void Encode(string text, List<ushort> ids)
    {
        var cache = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var match in BpeVocabulary.Words.EnumerateMatches(text))
        {
            var word = text.AsSpan(match.Index, match.Length);
            if (!cache.TryGetValue(word, out var encoded))
                cache[word] = encoded = vocabulary.EncodeWord(word);
            ids.AddRange(encoded);
        }
    }
}

/// <summary>GPT-2's visible character for each byte.</summary>
internal static class ByteAlphabet
{
    /// <summary>Bytes in order of their ids: those that are visible as they are, then the others.</summary>
    public static IReadOnlyList<byte> Order { get; } =
        [.. Enumerable.Range(0, 256).Where(IsVisible).Concat(Enumerable.Range(0, 256).Where(b => !IsVisible(b))).Select(b => (byte)b)];

    /// <summary>Character of each byte value: itself where visible, else U+0100 onwards in order.</summary>
    public static IReadOnlyList<char> Characters { get; } = Build();

    private static bool IsVisible(int b) => b is (>= '!' and <= '~') or (>= 0xa1 and <= 0xac) or (>= 0xae and <= 0xff);

    private static char[] Build()
    {
        var characters = new char[256];
        var next = 0x100;
        for (var b = 0; b < 256; b++)
            characters[b] = IsVisible(b) ? (char)b : (char)next++;
        return characters;
    }
}
