namespace Slm.Engine.Scheduling;

/// <content>Who gets KV blocks, and who has to give them back.</content>
internal sealed partial class StepPlan
{
    /// <summary>A step has computed more of a sequence: its full blocks are for others to use.</summary>
    public void Share(Sequence sequence)
    {
        if (sequence.CopySource is { } source)
        {
            _blocks.Release(source);
            sequence.CopySource = null;
        }

        if (_tree is null || sequence.Doubtful)
        {
            if (HasState)
                KeepState(sequence);
            return;
        }

        var size = _blocks.BlockSize;
        for (var next = sequence.NodeBlocks; (next + 1) * size <= sequence.Filled; next++)
        {
            var own = sequence.Blocks[next];
            if (_tree.Add(sequence.Scope, sequence.Node, sequence.BlockTokens(next, size), own) is not { } node)
                return;
            if (node.Block != own)
            {
                // Another sequence has computed the same meanwhile. A chunk in flight reads this one: it is kept until that has ended.
                if (sequence.InFlight)
                    return;
                _blocks.Retain(node.Block);
                _blocks.Release(own);
                sequence.Blocks[next] = node.Block;
            }

            sequence.Node = node;
            sequence.NodeBlocks = next + 1;
        }

        if (HasState)
            KeepState(sequence);
    }

    /// <summary>Forgets all shared blocks, because a stage may have lost them.</summary>
    public void ForgetPrefixes()
    {
        _tree?.Clear();
        _snapshots.Clear();
        _scratch.Clear();
        _scratch.AddRange(_running);
        foreach (var sequence in _scratch)
        {
            sequence.Doubtful = true;

            // What it was about to start from is gone. A step in flight has it, because steps keep their order.
            if (!sequence.InFlight && (sequence.StateSource is not null || sequence.CopySource is not null))
                Evict(sequence);
        }
    }

    /// <summary>The pipeline lost steps, none is in flight, and it is whole again: has computed again what is gone.</summary>
    /// <param name="stateLost">All that was computed is gone.</param>
    public void Restart(bool stateLost)
    {
        if (stateLost || HasState)
        {
            // Lost steps may have kept states that are now neither the old ones nor the new.
            _tree?.Clear();
            _snapshots.Clear();
        }

        _scratch.Clear();
        _scratch.AddRange(_running);
        foreach (var sequence in _scratch)
        {
            sequence.Doubtful |= stateLost;
            if (stateLost || (HasState && (sequence.Lost || sequence.StateSource is not null)))
                Evict(sequence);
            sequence.Lost = false;
        }

        Count();
    }

    /// <summary>A step has ended whose result cannot be relied on: its sequences are computed again where it may have changed more than their newest positions.</summary>
    public void Repeat(StepPart part)
    {
        foreach (var item in part.Items)
        {
            if (HasState && item.Sequence.Running)
                Evict(item.Sequence);
        }

        Return(part);
    }

    /// <summary>Moves a waiting sequence to the running ones, with blocks for its present tokens, if it fits.</summary>
    private bool TryAdmit(Sequence sequence)
    {
        while (_running.Count >= MaxRunning || !TryHold(sequence))
        {
            // Paused sequences make room.
            if (NewestPaused() is not { } paused)
                return false;
            Preempt(paused);
        }

        _waiting.Remove(sequence);
        sequence.Running = true;
        Insert(_running, sequence);
        return true;
    }

    /// <summary>
    /// Gets a waiting sequence its blocks, known ones first, if there is room for it and for what it and all that run are
    /// predicted to need until they end. If nothing else runs its present need suffices.
    /// </summary>
    private bool TryHold(Sequence sequence)
    {
        // Rows that are still needed must be computed, and so the last token always.
        var beginning = sequence.Tokens[..Math.Max(0, Math.Min(sequence.FirstRow, sequence.FeedEnd - 1))];
        var known = _tree?.Match(sequence.Scope, sequence.Input is { } input ? [.. input.Padded, .. beginning] : beginning) ?? default;
        if (HasState)
            known = new PrefixMatch(PrefixTree.WithState(known.Node), null, 0);
        PrefixTree.Collect(known.Node, sequence.Blocks);
        if (sequence.Blocks.Count * _blocks.BlockSize < sequence.Lead)
        {
            // A part of the encoder's input is of no use: its end is seen from its beginning.
            known = default;
            sequence.Blocks.Clear();
        }

        foreach (var block in sequence.Blocks)
            _blocks.Retain(block);
        sequence.Node = known.Node;
        sequence.NodeBlocks = sequence.Blocks.Count;
        sequence.Encoded = sequence.Input is not null && known.Node is not null;
        sequence.Computed = Math.Max(0, (sequence.Blocks.Count * _blocks.BlockSize) - sequence.Lead);
        var missing = MissingBlocks(sequence, 1);
        if (_running.Count > 0)
        {
            double growth = MissingBlocks(sequence, Lengths.Remaining(sequence)) - missing;
            foreach (var other in _running)
            {
                if (!other.Stalled)
                    growth += MissingBlocks(other, Lengths.Remaining(other));
            }

            missing += (int)(_reserve * Math.Max(0, growth));
        }

        if (HasState && known.Node is not null)
        {
            sequence.StateSource = known.Node;
            known.Node.Readers++;
        }

        if (missing > _blocks.Available || (HasState && !TryTakeSlot(sequence)))
        {
            Release(sequence);
            return false;
        }

        // The block to copy from may be the very one that is missing.
        if (known.Tail is { } tail && missing < _blocks.Available)
        {
            _blocks.Retain(tail.Block);
            sequence.CopySource = tail.Block;
            sequence.Computed += known.TailTokens;
        }

        _blocks.TryCover(sequence.Blocks, sequence.Lead + sequence.Count);
        if (sequence.Started is null && _tree is not null)
        {
            var read = sequence.Input?.Tokens.Length ?? 0;
            sequence.Reused = sequence.Computed + (sequence.Encoded ? read : 0);
            Interlocked.Add(ref _promptTokens, sequence.PromptLength + read);
            Interlocked.Add(ref _reusedTokens, sequence.Reused);
        }

        return true;
    }

    /// <summary>Blocks a sequence lacks for its present tokens and some more.</summary>
    private int MissingBlocks(Sequence sequence, int more) =>
        Math.Max(0, Math.Min(_blocks.Total, _blocks.BlocksFor(sequence.Lead + sequence.Count + more)) - sequence.Blocks.Count);

    /// <summary>Gets a decoding sequence its next block; false if it had to give way itself, or has to wait.</summary>
    private bool Cover(Sequence sequence, int tokens)
    {
        while (!_blocks.TryCover(sequence.Blocks, sequence.Lead + tokens))
        {
            var last = _running.Count - 1;
            while (_running[last].InFlight)
                last--;
            var victim = NewestPaused() ?? _running[last];

            // Those behind it give way when their step has ended.
            if (victim == sequence && last < _running.Count - 1)
                return false;
            Preempt(victim);
            if (victim == sequence)
                return false;
        }

        return true;
    }

    /// <summary>Takes places and blocks from running sequences for a waiting one that is more urgent, if that lets it in.</summary>
    private void MakeRoomForUrgent()
    {
        Sequence? urgent = null;
        foreach (var sequence in _waiting)
        {
            if (sequence.FeedEnd > 0 && !Paused(sequence) && (urgent is null || Goes(sequence, urgent)))
                urgent = sequence;
        }

        if (urgent is null)
            return;
        var needed = _blocks.BlocksFor(urgent.Lead + urgent.Count + 1);
        var available = _blocks.Available;
        var places = MaxRunning - _running.Count;
        foreach (var sequence in _running)
        {
            if (sequence.Terms.Priority > urgent.Terms.Priority)
            {
                available += sequence.Blocks.Count;
                places++;
            }
        }

        if (places <= 0 || available < needed)
            return;
        while ((_running.Count >= MaxRunning || _blocks.Available < needed) && _running[^1].Terms.Priority > urgent.Terms.Priority)
        {
            if (_running[^1].InFlight)
            {
                _held = urgent.Terms.Priority;
                return;
            }

            Preempt(_running[^1]);
        }
    }

    /// <summary>Gives up a sequence's blocks; what they hold is kept while there is room.</summary>
    private void Release(Sequence sequence)
    {
        var tail = sequence.Filled - (sequence.NodeBlocks * _blocks.BlockSize);
        if (_tree is not null && !HasState && !sequence.Doubtful && sequence.CopySource is null && tail > 0 && tail < _blocks.BlockSize && sequence.Blocks.Count > sequence.NodeBlocks)
            _tree.AddTail(sequence.Scope, sequence.Node, sequence.Tokens.Slice(sequence.Computed - tail, tail), sequence.Blocks[sequence.NodeBlocks]);
        if (sequence.CopySource is { } source)
            _blocks.Release(source);
        sequence.CopySource = null;
        ReleaseState(sequence);
        _blocks.Release(sequence.Blocks);
        sequence.Node = null;
        sequence.NodeBlocks = 0;
        sequence.Computed = 0;
        sequence.Encoded = false;
        sequence.Doubtful = false;
    }

    /// <summary>Takes a sequence's blocks for another.</summary>
    private void Preempt(Sequence sequence)
    {
        Evict(sequence);
        Interlocked.Increment(ref _preemptions);
        Preempted?.Invoke(sequence);
    }

    /// <summary>Has a sequence wait, and be computed again from its tokens.</summary>
    private void Evict(Sequence sequence)
    {
        Release(sequence);
        sequence.Preemptions++;
        sequence.Running = false;
        _running.Remove(sequence);
        Insert(_waiting, sequence);
    }

    private Sequence? NewestPaused()
    {
        for (var i = _running.Count - 1; i >= 0; i--)
        {
            if (_running[i].Stalled && !_running[i].InFlight)
                return _running[i];
        }

        return null;
    }
}
