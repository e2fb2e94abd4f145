namespace Slm.Engine.Experts;

/// <summary>Which expert lies in which slot. No locks and no memory of experts: the cache and the simulation share it.</summary>
internal sealed class ExpertSlots
{
    /// <summary>No slot.</summary>
    public const int None = -1;

    private readonly IExpertPolicy _policy;
    private readonly int _experts;
    private readonly int[] _slotOf;
    private readonly int[] _keyOf;
    private readonly int[] _holds;
    private int _used;

    public ExpertSlots(int layers, int experts, int slots, IExpertPolicy policy)
    {
        _policy = policy;
        _experts = experts;
        _slotOf = new int[layers * experts];
        _keyOf = new int[slots];
        _holds = new int[slots];
        _slotOf.AsSpan().Fill(None);
        _keyOf.AsSpan().Fill(None);
    }

    /// <summary>Number of slots.</summary>
    public int Count => _keyOf.Length;

    /// <summary>The slot of an expert, or <see cref="None"/>.</summary>
    public int Find(int layer, int expert) => _slotOf[(layer * _experts) + expert];

    /// <summary>The expert in a slot: layer · experts + expert, or <see cref="None"/>.</summary>
    public int KeyOf(int slot) => _keyOf[slot];

    /// <summary>Gives an expert a slot, at the cost of the one that is worth least; <see cref="None"/> if all are held.</summary>
    public int Take(int layer, int expert)
    {
        var slot = Free();
        if (slot == None)
            return None;
        Drop(slot);
        var key = (layer * _experts) + expert;
        _keyOf[slot] = key;
        _slotOf[key] = slot;
        return slot;
    }

    /// <summary>Empties a slot.</summary>
    public void Drop(int slot)
    {
        if (_keyOf[slot] != None)
            _slotOf[_keyOf[slot]] = None;
        _keyOf[slot] = None;
    }

    /// <summary>Keeps a slot from being taken until it is released as often.</summary>
    public void Hold(int slot) => _holds[slot]++;

    /// <summary>Undoes one <see cref="Hold"/>.</summary>
    public void Release(int slot) => _holds[slot]--;

    /// <summary>True while a slot is held.</summary>
    public bool IsHeld(int slot) => _holds[slot] > 0;

    private int Free()
    {
        if (_used < _keyOf.Length)
            return _used++;
        var best = None;
        var least = double.PositiveInfinity;
        for (var slot = 0; slot < _keyOf.Length; slot++)
        {
            if (_holds[slot] > 0)
                continue;
            var key = _keyOf[slot];
            if (key == None)
                return slot;
            var worth = _policy.Worth(key / _experts, key % _experts);
            if (worth < least)
                (least, best) = (worth, slot);
        }

        return best;
    }
}
