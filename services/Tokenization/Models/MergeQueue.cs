namespace Slm.Tokenization.Models;

/// <summary>
/// Symbols of one piece as a doubly linked list, merged pair by pair in order of priority (smallest rank first,
/// then leftmost) from a heap: n log n for any piece, where rescanning after each merge would be n².
/// </summary>
internal sealed class MergeQueue
{
    // Words are short: for them looking at every pair is faster than a heap.
    private const int ShortLength = 24;
    private readonly PriorityQueue<Candidate, (long Rank, int Left)> _heap = new();
    private int[] _ids = [];
    private int[] _prev = [];
    private int[] _next = [];

    /// <summary>A pair of neighbours as it was when found; stale when either has merged since.</summary>
    private readonly record struct Candidate(int Left, int Right, int LeftId, int RightId, int Merged);

    /// <summary>Finds what two neighbours merge to; <paramref name="head"/> is the index of the left one's first symbol.</summary>
    public delegate bool PairLookup(int head, int left, int right, out long rank, out int merged);

    /// <summary>Merges until nothing merges. On return <paramref name="heads"/> holds the index of the first symbol of each token, <paramref name="ids"/> its id.</summary>
    public void Run(List<int> ids, List<int> heads, PairLookup lookup)
    {
        var n = ids.Count;
        if (n <= ShortLength)
        {
            RunShort(ids, heads, lookup);
            return;
        }

        Reserve(n);
        for (var i = 0; i < n; i++)
        {
            _ids[i] = ids[i];
            _prev[i] = i - 1;
            _next[i] = i + 1 < n ? i + 1 : -1;
        }

        _heap.Clear();
        for (var i = 0; i + 1 < n; i++)
            Offer(i, i + 1, lookup);

        while (_heap.TryDequeue(out var c, out _))
        {
            if (_ids[c.Left] != c.LeftId || _ids[c.Right] != c.RightId || _next[c.Left] != c.Right)
                continue;
            _ids[c.Left] = c.Merged;
            _ids[c.Right] = -1;
            var after = _next[c.Right];
            _next[c.Left] = after;
            if (after >= 0)
                _prev[after] = c.Left;
            if (_prev[c.Left] >= 0)
                Offer(_prev[c.Left], c.Left, lookup);
            if (after >= 0)
                Offer(c.Left, after, lookup);
        }

        ids.Clear();
        heads.Clear();
        for (var i = n > 0 ? 0 : -1; i >= 0; i = _next[i])
        {
            ids.Add(_ids[i]);
            heads.Add(i);
        }
    }

    private static void RunShort(List<int> ids, List<int> heads, PairLookup lookup)
    {
        Span<int> symbols = stackalloc int[ShortLength];
        Span<int> starts = stackalloc int[ShortLength];
        Span<long> ranks = stackalloc long[ShortLength];
        Span<int> results = stackalloc int[ShortLength];
        var n = ids.Count;
        for (var i = 0; i < n; i++)
            (symbols[i], starts[i]) = (ids[i], i);
        for (var i = 0; i + 1 < n; i++)
            Rank(i, symbols, starts, ranks, results, lookup);
        while (n > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < n; i++)
            {
                if (ranks[i] < ranks[best])
                    best = i;
            }

            if (ranks[best] == long.MaxValue)
                break;
            symbols[best] = results[best];
            var moved = n - best - 2;
            symbols.Slice(best + 2, moved).CopyTo(symbols[(best + 1)..]);
            starts.Slice(best + 2, moved).CopyTo(starts[(best + 1)..]);
            ranks.Slice(best + 2, moved).CopyTo(ranks[(best + 1)..]);
            results.Slice(best + 2, moved).CopyTo(results[(best + 1)..]);
            n--;
            if (best + 1 < n)
                Rank(best, symbols, starts, ranks, results, lookup);
            if (best > 0)
                Rank(best - 1, symbols, starts, ranks, results, lookup);
        }

        ids.Clear();
        heads.Clear();
        for (var i = 0; i < n; i++)
        {
            ids.Add(symbols[i]);
            heads.Add(starts[i]);
        }
    }

    private static void Rank(int i, Span<int> symbols, Span<int> starts, Span<long> ranks, Span<int> results, PairLookup lookup)
    {
        var found = lookup(starts[i], symbols[i], symbols[i + 1], out var rank, out var merged);
        (ranks[i], results[i]) = found ? (rank, merged) : (long.MaxValue, 0);
    }

    private void Offer(int left, int right, PairLookup lookup)
    {
        if (lookup(left, _ids[left], _ids[right], out var rank, out var merged))
            _heap.Enqueue(new Candidate(left, right, _ids[left], _ids[right], merged), (rank, left));
    }

    private void Reserve(int n)
    {
        if (_ids.Length >= n)
            return;
        _ids = new int[n * 2];
        _prev = new int[n * 2];
        _next = new int[n * 2];
    }
}
