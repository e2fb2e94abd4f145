namespace Slm.Engine.Scheduling;

/// <summary>Slots for the state of recurrent layers, of sequences and of snapshots. Used by the scheduler's loop only.</summary>
internal sealed class StateSlots
{
    private readonly Stack<int> _free = [];

    /// <summary>All free.</summary>
    public StateSlots(int count)
    {
        Total = count;
        for (var slot = count - 1; slot >= 0; slot--)
            _free.Push(slot);
    }

    /// <summary>Number of slots; 0 where the model has no recurrent state.</summary>
    public int Total { get; }

    /// <summary>Slots in use.</summary>
    public int Used => Total - _free.Count;

    /// <summary>Takes a slot if one is free.</summary>
    public bool TryTake(out int slot) => _free.TryPop(out slot);

    /// <summary>Gives a slot back.</summary>
    public void Release(int slot) => _free.Push(slot);
}
