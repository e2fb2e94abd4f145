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
    private readonly List<Sequence> _running = [];
    private readonly List<Sequence> _waiting = [];
    private readonly List<Sequence> _scratch = [];
    private readonly int _maxTokens;
    private readonly int _maxRows;
    private volatile int _runningCount;
    private volatile int _waitingCount;
    private long _preemptions;
    private int _tokensLeft;
    private int _rowsLeft;
    private long _now;

    public StepPlan(IPipeline pipeline, SchedulerOptions options, BlockManager blocks)
    {
        _blocks = blocks;
        _maxTokens = Math.Min(options.MaxStepTokens ?? pipeline.MaxStepTokens, pipeline.MaxStepTokens);
        _maxRows = Math.Min(_maxTokens, options.MaxLogitRows ?? Math.Max(16, (1 << 24) / pipeline.Config.VocabSize));

        // Every running sequence can have its token in every step, so none starves.
        MaxRunning = Math.Min(options.MaxRunning, _maxRows);
    }

    public int MaxRunning { get; }

    public int RunningCount => _runningCount;

    public int WaitingCount => _waitingCount;

    public long Preemptions => Interlocked.Read(ref _preemptions);

    public bool IsEmpty => _running.Count == 0 && _waiting.Count == 0;

    /// <summary>What needs logits.</summary>
    public StepPart Logits { get; } = new();

    /// <summary>What needs hidden states.</summary>
    public StepPart Hidden { get; } = new();

    public void Enqueue(Sequence sequence) => Insert(_waiting, sequence);

    /// <summary>Takes a sequence out and frees its blocks.</summary>
    public void Remove(Sequence sequence)
    {
        _blocks.Release(sequence.Blocks);
        (sequence.Running ? _running : _waiting).Remove(sequence);
        sequence.Running = false;
        Count();
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
            if (_running.Count >= MaxRunning || _blocks.BlocksFor(wanted) > _blocks.Free)
            {
                // First come, first served: nobody overtakes; but paused sequences make room.
                if (NewestPaused() is not { } paused)
                    return;
                Preempt(paused);
                i = 0;
                continue;
            }

            _blocks.TryCover(sequence.Blocks, sequence.Count);
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

    private void Preempt(Sequence sequence)
    {
        _blocks.Release(sequence.Blocks);
        sequence.Computed = 0;
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
