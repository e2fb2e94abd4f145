using System.Runtime.InteropServices;
using System.Text;

namespace Slm.Training.Tokenizer;

/// <summary>
/// Learns the merges of a byte-level BPE: again and again the most frequent pair of neighbouring tokens inside words
/// becomes a token. Ties go to the pair with the smaller left, then right id, so the same text gives the same merges.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Learns up to <paramref name="size"/> − 257 merges; fewer where no pair occurs twice any more.</summary>
    /// <param name="texts">Training texts.</param>
    /// <param name="size">Vocabulary entries wanted, 257…65535.</param>
    public static BpeVocabulary Train(IEnumerable<string> texts, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 257);
        var counts = CountWords(texts);
        var words = new List<Word>(counts.Count);
        var idOfByte = new int[256];
        for (var i = 0; i < 256; i++)
            idOfByte[ByteAlphabet.Order[i]] = i;
        foreach (var (text, count) in counts.OrderBy(w => w.Key, StringComparer.Ordinal))
            words.Add(new Word([.. Encoding.UTF8.GetBytes(text).Select(b => idOfByte[b])], count));

        var pairs = new Dictionary<(int, int), Pair>();
        for (var w = 0; w < words.Count; w++)
            for (var i = 0; i + 1 < words[w].Ids.Count; i++)
                Change(pairs, (words[w].Ids[i], words[w].Ids[i + 1]), words[w].Count, w);

        var queue = new PriorityQueue<(int Left, int Right), (long Negated, int Left, int Right)>();
        foreach (var (key, pair) in pairs)
            queue.Enqueue(key, (-pair.Count, key.Item1, key.Item2));
        var merges = new List<(int Left, int Right)>();
        while (merges.Count < size - 257 && queue.TryDequeue(out var best, out var priority))
        {
            if (!pairs.TryGetValue(best, out var chosen) || chosen.Count != -priority.Negated)
            {
                // The count changed since it was queued: queue it again with what it is now.
                if (chosen is { Count: > 1 })
                    queue.Enqueue(best, (-chosen.Count, best.Left, best.Right));
                continue;
            }

            if (chosen.Count < 2)
                break;
            var id = 256 + merges.Count;
            merges.Add(best);
            pairs.Remove(best);
            var changed = new HashSet<(int, int)>();
            foreach (var w in chosen.Words)
                Merge(words[w], w, best, id, pairs, changed);
            pairs.Remove(best);
            foreach (var key in changed)
                if (pairs.TryGetValue(key, out var pair) && pair.Count > 1)
                    queue.Enqueue(key, (-pair.Count, key.Item1, key.Item2));
        }

        return new BpeVocabulary(merges, size);
    }

    private static Dictionary<string, long> CountWords(IEnumerable<string> texts)
    {
        var counts = new Dictionary<string, long>();
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
            foreach (var match in BpeVocabulary.Words.EnumerateMatches(text))
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, text.AsSpan(match.Index, match.Length), out _)++;
        return counts;
    }

    private static void Merge(Word word, int index, (int Left, int Right) pair, int id, Dictionary<(int, int), Pair> pairs, HashSet<(int, int)> changed)
    {
        var ids = word.Ids;
        if (!Contains(ids, pair))
            return;
        for (var i = 0; i + 1 < ids.Count; i++)
            Change(pairs, (ids[i], ids[i + 1]), -word.Count, index);
        var kept = 0;
        for (var i = 0; i < ids.Count; i++)
            if (i + 1 < ids.Count && ids[i] == pair.Left && ids[i + 1] == pair.Right)
            {
                ids[kept++] = id;
                i++;
            }
            else
            {
                ids[kept++] = ids[i];
            }

        ids.RemoveRange(kept, ids.Count - kept);
        for (var i = 0; i + 1 < ids.Count; i++)
        {
            Change(pairs, (ids[i], ids[i + 1]), word.Count, index);
            changed.Add((ids[i], ids[i + 1]));
        }
    }

    private static bool Contains(List<int> ids, (int Left, int Right) pair)
    {
        for (var i = 0; i + 1 < ids.Count; i++)
            if (ids[i] == pair.Left && ids[i + 1] == pair.Right)
                return true;
        return false;
    }

    private static void Change(Dictionary<(int, int), Pair> pairs, (int, int) key, long by, int word)
    {
        if (!pairs.TryGetValue(key, out var pair))
            pairs.Add(key, pair = new Pair());
        pair.Count += by;
        if (by > 0)
            pair.Words.Add(word);
    }

    private sealed record Word(List<int> Ids, long Count);

    private sealed class Pair
    {
        public long Count { get; set; }

        /// <summary>Words that hold the pair, or did once.</summary>
        public HashSet<int> Words { get; } = [];
    }
}
