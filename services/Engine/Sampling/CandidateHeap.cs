namespace Slm.Engine.Sampling;

/// <summary>
/// Token ids ordered by logit, largest first and of equals the lowest id, taken one by one: building is linear and each
/// removal logarithmic, so that a truncation that keeps few of many tokens does not sort them all. Tokens below a floor
/// are not even put on the heap before all others are taken.
/// </summary>
internal sealed class CandidateHeap
{
    private float[] _logits = [];
    private int[] _ids = [];
    private int _vocabulary;
    private int _count;
    private float _floor;

    /// <summary>Starts over with all tokens. <paramref name="logits"/> is read until the next call.</summary>
    /// <param name="logits">Logits by token, none NaN.</param>
    /// <param name="vocabulary">Number of tokens.</param>
    /// <param name="floor">A guess below which few will be wanted; it changes the speed only.</param>
    public void Fill(float[] logits, int vocabulary, float floor)
    {
        if (_ids.Length < vocabulary)
            _ids = new int[vocabulary];
        _logits = logits;
        _vocabulary = vocabulary;
        _floor = floor;
        Collect(above: true);
    }

    /// <summary>Removes and returns the best token. There must be one.</summary>
    public int Pop()
    {
        if (_count == 0)
            Collect(above: false);
        var best = _ids[0];
        _ids[0] = _ids[--_count];
        Sink(0);
        return best;
    }

    private void Collect(bool above)
    {
        _count = 0;
        for (var id = 0; id < _vocabulary; id++)
        {
            _ids[_count] = id;
            _count += _logits[id] >= _floor == above ? 1 : 0;
        }

        for (var slot = _count / 2 - 1; slot >= 0; slot--)
            Sink(slot);
    }

    private void Sink(int slot)
    {
        if (slot >= _count)
            return;
        var ids = _ids;
        var id = ids[slot];
        while (true)
        {
            var child = 2 * slot + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && Precedes(ids[child + 1], ids[child]))
                child++;
            if (!Precedes(ids[child], id))
                break;
            ids[slot] = ids[child];
            slot = child;
        }

        ids[slot] = id;
    }

    private bool Precedes(int a, int b) => _logits[a] > _logits[b] || (_logits[a] == _logits[b] && a < b);
}
