namespace Slm.Engine.Sampling;

/// <summary>
/// Token ids ordered by logit, largest first and of equals the lowest id, taken one by one: building is linear and each
/// removal logarithmic, so that a truncation that keeps few of many tokens does not sort them all.
/// </summary>
internal sealed class CandidateHeap
{
    private float[] _logits = [];
    private int[] _ids = [];

    public int Count { get; private set; }

    /// <summary>Starts over with all tokens. <paramref name="logits"/> is read until the next call.</summary>
    public void Fill(float[] logits, int count)
    {
        if (_ids.Length < count)
            _ids = new int[count];
        _logits = logits;
        Count = count;
        for (var i = 0; i < count; i++)
            _ids[i] = i;
        for (var i = count / 2 - 1; i >= 0; i--)
            Sink(i);
    }

    /// <summary>Removes and returns the best token.</summary>
    public int Pop()
    {
        var best = _ids[0];
        _ids[0] = _ids[--Count];
        Sink(0);
        return best;
    }

    private void Sink(int slot)
    {
        if (slot >= Count)
            return;
        var ids = _ids;
        var id = ids[slot];
        while (true)
        {
            var child = 2 * slot + 1;
            if (child >= Count)
                break;
            if (child + 1 < Count && Precedes(ids[child + 1], ids[child]))
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
