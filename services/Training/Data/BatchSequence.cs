namespace Slm.Training.Data;

/// <summary>
/// All batches of a run in order, each a function of (documents, seed, index) alone, so that a resumed run goes on
/// exactly where the other stopped. Each epoch is shuffled anew; documents longer than the context are cut into pieces.
/// </summary>
public sealed class BatchSequence
{
    private const int Window = 64;

    private readonly TokenStore _store;
    private readonly int _capacity;
    private readonly ulong _seed;
    private readonly bool _shuffle;
    private readonly (int Document, int Offset, int Length)[] _pieces;
    private int _epoch = -1;
    private List<int[]> _batches = [];
    private long _first;

    /// <param name="store">The documents.</param>
    /// <param name="capacity">Tokens of a batch.</param>
    /// <param name="context">Longest piece, at most <paramref name="capacity"/>.</param>
    /// <param name="seed">Seed of the order.</param>
    /// <param name="shuffle">False keeps the documents' order (validation).</param>
    public BatchSequence(TokenStore store, int capacity, int context, ulong seed, bool shuffle = true)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(context, capacity);
        (_store, _capacity, _seed, _shuffle) = (store, capacity, seed, shuffle);
        var pieces = new List<(int, int, int)>();
        for (var document = 0; document < store.Count; document++)
            for (var offset = 0; offset < store[document].Length; offset += context)
                pieces.Add((document, offset, Math.Min(context, store[document].Length - offset)));
        _pieces = [.. pieces];
        if (_pieces.Length == 0)
            throw new ArgumentException("There are no documents.", nameof(store));
    }

    /// <summary>Epoch the last batch came from, from 0.</summary>
    public int Epoch => _epoch;

    /// <summary>Batches of one epoch, in order.</summary>
    public IEnumerable<PackedBatch> WholeEpoch()
    {
        MoveTo(0);
        return _batches.Select(Build);
    }

    /// <summary>The batch with this index from the start of the run; cheapest in rising order.</summary>
    public PackedBatch this[long index]
    {
        get
        {
            if (index < _first)
                MoveTo(0);
            while (index >= _first + _batches.Count || _epoch < 0)
                MoveTo(_epoch + 1);
            return Build(_batches[(int)(index - _first)]);
        }
    }

    private void MoveTo(int epoch)
    {
        _first = epoch == 0 ? 0 : _first + _batches.Count;
        _epoch = epoch;
        var order = Enumerable.Range(0, _pieces.Length).ToArray();
        if (_shuffle)
            Shuffle(order, _seed * 0x9E3779B97F4A7C15 + (ulong)epoch);
        _batches = Pack(order);
    }

    /// <summary>Fills batches one by one: the piece that waited longest, then always the largest of the window that fits.</summary>
    private List<int[]> Pack(int[] order)
    {
        var batches = new List<int[]>();
        var window = new List<int>();
        var next = 0;
        while (next < order.Length || window.Count > 0)
        {
            var batch = new List<int>();
            var room = _capacity;
            while (true)
            {
                while (window.Count < Window && next < order.Length)
                    window.Add(order[next++]);
                var best = -1;
                for (var i = 0; i < window.Count && !(batch.Count == 0 && best == 0); i++)
                    if (_pieces[window[i]].Length <= room && (best < 0 || _pieces[window[i]].Length > _pieces[window[best]].Length))
                        best = i;
                if (best < 0)
                    break;
                room -= _pieces[window[best]].Length;
                batch.Add(window[best]);
                window.RemoveAt(best);
            }

            batches.Add([.. batch]);
        }

        return batches;
    }

    private PackedBatch Build(int[] pieces)
    {
        var tokens = new int[_capacity];
        var targets = new int[_capacity];
        Array.Fill(tokens, _store.EndOfText);
        Array.Fill(targets, -1);
        var segments = new Segment[pieces.Length];
        var at = 0;
        for (var p = 0; p < pieces.Length; p++)
        {
            var (document, offset, length) = _pieces[pieces[p]];
            var ids = _store[document];
            for (var i = 0; i < length; i++)
            {
                tokens[at + i] = offset + i == 0 ? _store.EndOfText : ids[offset + i - 1];
                targets[at + i] = ids[offset + i];
            }

            segments[p] = new Segment(at, length);
            at += length;
        }

        return new PackedBatch(tokens, targets, segments);
    }

    private static void Shuffle(int[] order, ulong state)
    {
        for (var i = order.Length - 1; i > 0; i--)
        {
            state += 0x9E3779B97F4A7C15;
            var z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            var j = (int)Math.BigMul(z, (ulong)(i + 1), out _);
            (order[i], order[j]) = (order[j], order[i]);
        }
    }
}
