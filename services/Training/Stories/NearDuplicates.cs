namespace Slm.Training.Stories;

/// <summary>
/// Near-duplicates by Jaccard similarity of 5-word shingles. MinHash signatures in LSH bands (Broder 1997; Leskovec, Rajaraman,
/// Ullman, ch. 3) propose pairs; every proposed pair is checked exactly. At similarity 0.8 a pair is missed with
/// probability (1 - 0.8^4)^16 &lt; 0.03 %.
/// </summary>
public sealed class NearDuplicates
{
    private const int Bands = 16;
    private const int Rows = 4;
    private readonly double _threshold;
    private readonly List<ulong[]> _shingles = [];
    private readonly Dictionary<ulong, List<int>>[] _buckets = new Dictionary<ulong, List<int>>[Bands];

    /// <param name="threshold">Jaccard similarity from which two texts count as near-duplicates, in (0, 1].</param>
    public NearDuplicates(double threshold = 0.8)
    {
        if (!(threshold is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "threshold must be in (0, 1], e.g. 0.8");
        _threshold = threshold;
        for (int b = 0; b < Bands; b++)
            _buckets[b] = [];
    }

    /// <summary>Number of texts added.</summary>
    public int Count => _shingles.Count;

    /// <summary>Number of texts that had an earlier near-duplicate.</summary>
    public int Duplicates { get; private set; }

    /// <summary>Adds a text and returns the index of an earlier near-duplicate, or -1.</summary>
    public int Add(ReadOnlySpan<int> words)
    {
        var shingles = Shingles(words, 5);
        int index = _shingles.Count;
        _shingles.Add(shingles);
        Span<ulong> signature = stackalloc ulong[Bands * Rows];
        signature.Fill(ulong.MaxValue);
        foreach (ulong shingle in shingles)
        {
            // Two independent hashes make the family h1 + k * h2 (Kirsch, Mitzenmacher 2006).
            ulong h1 = StoryRandom.Mix(shingle ^ 0xA5A5A5A5A5A5A5A5UL);
            ulong h2 = StoryRandom.Mix(shingle + 0x9E3779B97F4A7C15UL) | 1;
            for (int k = 0; k < signature.Length; k++, h1 += h2)
            {
                if (h1 < signature[k])
                    signature[k] = h1;
            }
        }

        int found = -1;
        for (int b = 0; b < Bands; b++)
        {
            ulong key = (ulong)b;
            for (int r = 0; r < Rows; r++)
                key = StoryRandom.Mix(key ^ signature[(b * Rows) + r]);
            if (!_buckets[b].TryGetValue(key, out var bucket))
                _buckets[b][key] = bucket = [];
            for (int i = 0; found < 0 && i < bucket.Count; i++)
            {
                if (Jaccard(_shingles[bucket[i]], shingles) >= _threshold)
                    found = bucket[i];
            }

            bucket.Add(index);
        }

        if (found >= 0)
            Duplicates++;
        return found;
    }

    /// <summary>The distinct n-word shingles of a text as sorted hashes; a text shorter than n is one shingle.</summary>
    public static ulong[] Shingles(ReadOnlySpan<int> words, int n)
    {
        int count = Math.Max(1, words.Length - n + 1);
        var all = new ulong[count];
        for (int i = 0; i < count; i++)
            all[i] = Hash(words.Slice(i, Math.Min(n, words.Length - i)));
        Array.Sort(all);
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            if (i == 0 || all[i] != all[i - 1])
                all[kept++] = all[i];
        }

        return all[..kept];
    }

    /// <summary>|A ∩ B| / |A ∪ B| of two sorted sets.</summary>
    public static double Jaccard(ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b)
    {
        int i = 0;
        int j = 0;
        int common = 0;
        while (i < a.Length && j < b.Length)
        {
            if (a[i] == b[j])
            {
                common++;
                i++;
                j++;
            }
            else if (a[i] < b[j])
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return a.Length + b.Length == 0 ? 1 : common / (double)(a.Length + b.Length - common);
    }

    internal static ulong Hash(ReadOnlySpan<int> words)
    {
        ulong h = (ulong)words.Length;
        foreach (int word in words)
            h = StoryRandom.Mix(h ^ (uint)word) + 0x9E3779B97F4A7C15UL;
        return h;
    }
}
