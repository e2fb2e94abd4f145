using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <content>
/// Models with recurrent layers: each running sequence has a slot for its state, and where a chunk ends with a block the
/// state may be kept for others, since it cannot be had from the KV blocks. A prefix is shared up to a block whose state is
/// kept. Prompts are cut at block boundaries and behind their last full block, so that there is something to keep.
/// </content>
internal sealed partial class StepPlan
{
    private readonly StateSlots _slots;
    private readonly List<StateCopy> _snapshots = [];
    private readonly List<StateCopy> _restores = [];

    private bool HasState => _slots.Total > 0;

    /// <summary>Slots in use, and those of them that hold what is kept for others.</summary>
    public (int Used, int Kept) States => (_slots.Used, _tree?.StateCount ?? 0);

    /// <summary>Gets a sequence its slot, from the kept states if need be.</summary>
    private bool TryTakeSlot(Sequence sequence)
    {
        int slot;
        while (!_slots.TryTake(out slot))
        {
            if (_tree?.DropState() != true)
                return false;
        }

        sequence.StateSlot = slot;
        return true;
    }

    /// <summary>Ends a chunk where its state can be kept.</summary>
    private int CutForState(Sequence sequence, int start, int end)
    {
        if (!HasState || _tree is null)
            return end;
        var last = (sequence.FeedEnd - 1) / _blocks.BlockSize * _blocks.BlockSize;
        if (end < sequence.FeedEnd)
            last = Math.Min(last, end / _blocks.BlockSize * _blocks.BlockSize);
        return last > start ? last : end;
    }

    /// <summary>Has the state of a sequence copied before its first step, from where it was kept.</summary>
    private void Restore(Sequence sequence)
    {
        if (sequence.StateSource is { } source)
            _restores.Add(new StateCopy(source.StateSlot, sequence.StateSlot));
    }

    /// <summary>Keeps the state behind a sequence's newest block; of what it generates only the newest.</summary>
    private void KeepState(Sequence sequence)
    {
        if (sequence.StateSource is { } source)
        {
            source.Readers--;
            sequence.StateSource = null;
        }

        if (_tree is null || sequence.Doubtful || sequence.Node is not { Removed: false, StateSlot: < 0 } node || sequence.NodeBlocks * _blocks.BlockSize != sequence.Computed)
            return;
        if (sequence.StateKept is { Removed: false, Readers: 0 } old)
            _tree.DropState(old);
        sequence.StateKept = null;
        int slot;
        while (!_slots.TryTake(out slot))
        {
            if (!_tree.DropState())
                return;
        }

        // The sequence's next step changes its state: the copy comes before it.
        node.StateSlot = slot;
        _snapshots.Add(new StateCopy(sequence.StateSlot, slot));
        if (sequence.Computed != (sequence.PromptLength - 1) / _blocks.BlockSize * _blocks.BlockSize)
            sequence.StateKept = node;
    }

    private void ReleaseState(Sequence sequence)
    {
        if (sequence.StateSource is { } source)
            source.Readers--;
        sequence.StateSource = null;
        sequence.StateKept = null;
        if (sequence.StateSlot >= 0)
            _slots.Release(sequence.StateSlot);
        sequence.StateSlot = -1;
    }

    /// <summary>Puts the copies into the batch that runs first: snapshots before anybody uses a slot anew.</summary>
    private void AddStateCopies()
    {
        var part = Logits.Items.Count > 0 ? Logits : Hidden;
        if (part.Items.Count == 0)
            return;
        foreach (var copy in _snapshots)
            part.Batch.AddStateCopy(copy.From, copy.To);
        foreach (var copy in _restores)
            part.Batch.AddStateCopy(copy.From, copy.To);
        _snapshots.Clear();
        _restores.Clear();
    }
}
