using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <summary>The share of a sequence in a step.</summary>
/// <param name="Sequence">Whose tokens.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Count">Number of tokens.</param>
/// <param name="Outputs">How many of the last ones give an output row.</param>
internal readonly record struct PlannedItem(Sequence Sequence, int Start, int Count, int Outputs);

/// <summary>One call of the pipeline: the batch and whose it is, in the same order.</summary>
internal sealed class StepPart
{
    public StepBatch Batch { get; } = new();

    public List<PlannedItem> Items { get; } = [];

    public void Clear()
    {
        Batch.Clear();
        Items.Clear();
    }
}

/// <summary>
/// Decides what the next step computes: first one token of every running sequence, then chunks of prompts, in order of
/// arrival, as far as tokens, rows and KV blocks go. Used by the scheduler's loop only, except for the counts.
/// </summary>
/// <remarks>
/// A sequence gets the blocks of all its present tokens when it is admitted, so only decoding can run out of blocks.
/// Then the newest sequence goes back to the queue, at its old place; paused ones go first. Sequences in the batch being
/// built are never taken, because they are older than the one that needs a block. The oldest sequence that is not paused
/// can always go on, so the queue always moves.
/// </remarks>
internal sealed class StepPlan
{
    private readonly BlockManager _blocks;
    private readonly PrefixTree? _tree;
    private readonly List<Sequence> _running = [];
    private readonly List<Sequence> _waiting = [];
    private readonly List<Sequence> _scratch = [];
    private readonly int _maxTokens;
    private readonly int _maxRows;
    private volatile int _runningCount;
    private volatile int _waitingCount;
    private long _preemptions;
    private long _promptTokens;
    private long _reusedTokens;
    private int _tokensLeft;
    private int _rowsLeft;
    private long _now;

    public StepPlan(IPipeline pipeline, SchedulerOptions options, BlockManager blocks)
    {
        _blocks = blocks;
        _tree = options.PrefixSharing ? new PrefixTree(blocks) : null;
        _maxTokens = Math.Min(options.MaxStepTokens ?? pipeline.MaxStepTokens, pipeline.MaxStepTokens);
        _maxRows = Math.Min(_maxTokens, options.MaxLogitRows ?? Math.Max(16, (1 << 24) / pipeline.Config.VocabSize));

        // Every running sequence can have its token in every step, so none starves.
        MaxRunning = Math.Min(options.MaxRunning, _maxRows);
    }

    public int MaxRunning { get; }

    public int RunningCount => _runningCount;

    public int WaitingCount => _waitingCount;

    public long Preemptions => Interlocked.Read(ref _preemptions);

    /// <summary>Tokens of all prompts that were looked up in the prefix tree, and how many of them it had.</summary>
    public long PromptTokens => Interlocked.Read(ref _promptTokens);

    public long ReusedTokens => Interlocked.Read(ref _reusedTokens);

    public bool IsEmpty => _running.Count == 0 && _waiting.Count == 0;

    /// <summary>What needs logits.</summary>
    public StepPart Logits { get; } = new();

    /// <summary>What needs hidden states.</summary>
    public StepPart Hidden { get; } = new();

    public void Enqueue(Sequence sequence) => Insert(_waiting, sequence);

    /// <summary>Takes a sequence out and frees its blocks.</summary>
    public void Remove(Sequence sequence)
    {
        Release(sequence);
        (sequence.Running ? _running : _waiting).Remove(sequence);
        sequence.Running = false;
        Count();
    }

    /// <summary>A step has computed more of a sequence: its full blocks are for others to use.</summary>
    public void Share(Sequence sequence)
    {
        if (sequence.CopySource is { } source)
        {
            _blocks.Release(source);
            sequence.CopySource = null;
        }

        if (_tree is null || sequence.Doubtful)
            return;
        var size = _blocks.BlockSize;
        for (var next = sequence.NodeBlocks; (next + 1) * size <= sequence.Computed; next++)
        {
            var own = sequence.Blocks[next];
            if (_tree.Add(sequence.Scope, sequence.Node, sequence.Tokens.Slice(next * size, size), own) is not { } node)
                return;
            if (node.Block != own)
            {
                // Another sequence has computed the same meanwhile.
                _blocks.Retain(node.Block);
                _blocks.Release(own);
                sequence.Blocks[next] = node.Block;
            }

            sequence.Node = node;
            sequence.NodeBlocks = next + 1;
        }
    }

    /// <summary>Forgets all shared blocks, because a stage may have lost them.</summary>
    public void ForgetPrefixes()
    {
        _tree?.Clear();
        foreach (var sequence in _running)
            sequence.Doubtful = true;
    }

    /// <summary>The sequences for which <paramref name="condition"/> holds, for the caller to remove; valid until the next call.</summary>
    public List<Sequence> Matching(Func<Sequence, bool> condition)
    {
        _scratch.Clear();
        Collect(_running, condition);
        Collect(_waiting, condition);
        return _scratch;
    }

    /// <summary>Fills <see cref="Logits"/> and <see cref="Hidden"/>; both empty means that there is nothing to do.</summary>
    public void Build(long now)
    {
        _now = now;
        _tokensLeft = _maxTokens;
        _rowsLeft = _maxRows;
        Logits.Clear();
        Hidden.Clear();
        Decode();
        Prefill();
        Admit();
        Count();
    }

    private void Decode()
    {
        _scratch.Clear();
        _scratch.AddRange(_running);
        foreach (var sequence in _scratch)
        {
            if (sequence.Running && sequence.Decoding && !Paused(sequence) && Cover(sequence, sequence.Computed + 1))
                Plan(sequence);
        }
    }

    private void Prefill()
    {
        foreach (var sequence in _running)
        {
            if (_tokensLeft == 0)
                return;
            if (!sequence.Decoding && sequence.Computed < sequence.FeedEnd && !Paused(sequence))
                Plan(sequence);
        }
    }

    private void Admit()
    {
        for (var i = 0; i < _waiting.Count && _tokensLeft > 0;)
        {
            var sequence = _waiting[i];
            if (sequence.FeedEnd == 0 || Paused(sequence))
            {
                i++;
                continue;
            }

            // Room for the next token too, lest it be preempted at once.
            var wanted = Math.Min(sequence.Count + 1, _blocks.Total * _blocks.BlockSize);
            if (_running.Count >= MaxRunning || !TryHold(sequence, wanted))
            {
                // First come, first served: nobody overtakes; but paused sequences make room.
                if (NewestPaused() is not { } paused)
                    return;
                Preempt(paused);
                i = 0;
                continue;
            }

            _waiting.RemoveAt(i);
            sequence.Running = true;
            Insert(_running, sequence);
            Plan(sequence);
        }
    }

    /// <summary>Adds the next chunk of a sequence, as long as the step has tokens and rows left.</summary>
    private void Plan(Sequence sequence)
    {
        var start = sequence.Computed;
        var end = Math.Min(sequence.FeedEnd, start + _tokensLeft);
        var logits = sequence.Output == StepOutput.Logits;
        var firstRow = Math.Max(start, sequence.FirstRow);
        if (logits)
            end = Math.Min(end, firstRow + _rowsLeft);
        if (end <= start)
            return;
        var rows = Math.Max(0, end - firstRow);
        var part = logits ? Logits : Hidden;
        part.Batch.Add(sequence.Tokens[start..end], start, sequence.BlockSpan(_blocks.BlocksFor(end)), rows);
        part.Items.Add(new PlannedItem(sequence, start, end - start, rows));
        if (sequence.CopySource is { } source)
            part.Batch.AddCopy(source, sequence.Blocks[sequence.NodeBlocks]);
        sequence.Started ??= _now;
        _tokensLeft -= end - start;
        if (logits)
            _rowsLeft -= rows;
    }

    /// <summary>Gets a decoding sequence its next block; false if it had to give way itself.</summary>
    private bool Cover(Sequence sequence, int tokens)
    {
        while (!_blocks.TryCover(sequence.Blocks, tokens))
        {
            var victim = NewestPaused() ?? _running[^1];
            Preempt(victim);
            if (victim == sequence)
                return false;
        }

        return true;
    }

    /// <summary>Gets a waiting sequence its blocks, known ones first, if there is room for <paramref name="wanted"/> tokens.</summary>
    private bool TryHold(Sequence sequence, int wanted)
    {
        // Rows that are still needed must be computed, and so the last token always.
        var known = _tree?.Match(sequence.Scope, sequence.Tokens[..Math.Max(0, Math.Min(sequence.FirstRow, sequence.FeedEnd - 1))]) ?? default;
        PrefixTree.Collect(known.Node, sequence.Blocks);
        foreach (var block in sequence.Blocks)
            _blocks.Retain(block);
        sequence.Node = known.Node;
        sequence.NodeBlocks = sequence.Blocks.Count;
        sequence.Computed = sequence.Blocks.Count * _blocks.BlockSize;
        if (_blocks.BlocksFor(wanted) - sequence.Blocks.Count > _blocks.Available)
        {
            Release(sequence);
            return false;
        }

        // The block to copy from may be the very one that is missing.
        if (known.Tail is { } tail && _blocks.BlocksFor(wanted) - sequence.Blocks.Count < _blocks.Available)
        {
            _blocks.Retain(tail.Block);
            sequence.CopySource = tail.Block;
            sequence.Computed += known.TailTokens;
        }

        _blocks.TryCover(sequence.Blocks, sequence.Count);
        if (sequence.Started is null && _tree is not null)
        {
            sequence.Reused = sequence.Computed;
            Interlocked.Add(ref _promptTokens, sequence.PromptLength);
            Interlocked.Add(ref _reusedTokens, sequence.Computed);
        }

        return true;
    }

    /// <summary>Gives up a sequence's blocks; what they hold is kept while there is room.</summary>
    private void Release(Sequence sequence)
    {
        var tail = sequence.Computed - (sequence.NodeBlocks * _blocks.BlockSize);
        if (_tree is not null && !sequence.Doubtful && sequence.CopySource is null && tail > 0 && tail < _blocks.BlockSize && sequence.Blocks.Count > sequence.NodeBlocks)
            _tree.AddTail(sequence.Scope, sequence.Node, sequence.Tokens.Slice(sequence.Computed - tail, tail), sequence.Blocks[sequence.NodeBlocks]);
        if (sequence.CopySource is { } source)
            _blocks.Release(source);
        sequence.CopySource = null;
        _blocks.Release(sequence.Blocks);
        sequence.Node = null;
        sequence.NodeBlocks = 0;
        sequence.Computed = 0;
        sequence.Doubtful = false;
    }

    private void Preempt(Sequence sequence)
    {
        Release(sequence);
        sequence.Preemptions++;
        sequence.Running = false;
        _running.Remove(sequence);
        Insert(_waiting, sequence);
        Interlocked.Increment(ref _preemptions);
    }

    private Sequence? NewestPaused()
    {
        for (var i = _running.Count - 1; i >= 0; i--)
        {
            if (_running[i].Stalled)
                return _running[i];
        }

        return null;
    }

    /// <summary>True while the consumer has no room; it wakes the loop when it takes something.</summary>
    private static bool Paused(Sequence sequence)
    {
        if (sequence.HasRoom)
        {
            sequence.Stalled = false;
            return false;
        }

        sequence.Stalled = true;
        Interlocked.MemoryBarrier();
        if (!sequence.HasRoom)
            return true;
        sequence.Stalled = false;
        return false;
    }

    private void Collect(List<Sequence> from, Func<Sequence, bool> condition)
    {
        foreach (var sequence in from)
        {
            if (condition(sequence))
                _scratch.Add(sequence);
        }
    }

    private void Count()
    {
        _runningCount = _running.Count;
        _waitingCount = _waiting.Count;
    }

    private static void Insert(List<Sequence> list, Sequence sequence)
    {
        var at = list.Count;
        while (at > 0 && list[at - 1].Arrival > sequence.Arrival)
            at--;
        list.Insert(at, sequence);
    }
}
