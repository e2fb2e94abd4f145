using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <summary>The share of a sequence in a step.</summary>
/// <param name="Sequence">Whose tokens.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Count">Number of tokens.</param>
/// <param name="Outputs">How many of the last ones give an output row.</param>
/// <param name="Proposed">How many of the last ones are only proposed.</param>
internal readonly record struct PlannedItem(Sequence Sequence, int Start, int Count, int Outputs, int Proposed);

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
/// Decides what the next step computes: first one token of every running sequence, then chunks of prompts, those of the
/// most urgent priority first, within a priority those of the client that has been given least, within a client in order of
/// arrival, as far as tokens, rows and KV blocks go. While sequences are decoding, all chunks together have at most
/// <see cref="SchedulerOptions.ChunkTokens"/>, so that no prompt holds a running answer up for longer than that takes.
/// Used by the scheduler's loop only, except for the counts.
/// </summary>
/// <remarks>
/// Sequences have a rank: priority, then arrival. A sequence gets the blocks of all its present tokens when it is admitted,
/// so only decoding can run out of blocks. Then the sequence of the last rank goes back to the queue; paused ones go first.
/// Sequences in the batch being built are never taken, because their rank is better than that of the one that needs a block.
/// The first of all ranks that is not paused can always go on, so the queue always moves.
/// </remarks>
internal sealed partial class StepPlan
{
    /// <summary>Rows that a step with proposals has at most: products of more rows cost in proportion, so a wrong one is a loss.</summary>
    private const int MostVerifiedRows = 32;

    private readonly BlockManager _blocks;
    private readonly PrefixTree? _tree;
    private readonly ClientLedger _clients = new();
    private readonly List<Sequence> _running = [];
    private readonly List<Sequence> _waiting = [];
    private readonly List<Sequence> _scratch = [];
    private readonly int _maxTokens;
    private readonly int _maxRows;
    private readonly int[] _draft;
    private readonly int _chunkTokens;
    private readonly double _reserve;
    private volatile int _runningCount;
    private volatile int _waitingCount;
    private long _preemptions;
    private long _promptTokens;
    private long _reusedTokens;
    private readonly bool _wholeTexts;
    private int _tokensLeft;
    private int _inputLeft;
    private int _rowsLeft;
    private long _now;

    public StepPlan(IPipeline pipeline, SchedulerOptions options, BlockManager blocks)
    {
        _blocks = blocks;
        _slots = new StateSlots(pipeline.StateSlots);
        _wholeTexts = !pipeline.Config.IsCausal;

        // Keys and values depend on all of the text where all of it is seen.
        _tree = options.PrefixSharing && !_wholeTexts ? new PrefixTree(blocks) { StateReleased = _slots.Release } : null;
        _maxTokens = Math.Min(options.MaxStepTokens ?? pipeline.MaxStepTokens, pipeline.MaxStepTokens);
        _maxRows = Math.Min(_maxTokens, options.MaxLogitRows ?? Math.Max(16, (1 << 24) / pipeline.Config.VocabSize));
        _chunkTokens = options.ChunkTokens;
        _draft = new int[options.DraftTokens + 1];
        _reserve = options.GrowthReserve;

        // Every running sequence can have its token in every step, so none starves.
        MaxRunning = Math.Min(options.MaxRunning, _maxRows);
        if (HasState)
            MaxRunning = Math.Min(MaxRunning, _slots.Total);
    }

    public int MaxRunning { get; }

    public int RunningCount => _runningCount;

    public int WaitingCount => _waitingCount;

    public long Preemptions => Interlocked.Read(ref _preemptions);

    /// <summary>Tokens of all prompts that were looked up in the prefix tree, and how many of them it had.</summary>
    public long PromptTokens => Interlocked.Read(ref _promptTokens);

    public long ReusedTokens => Interlocked.Read(ref _reusedTokens);

    public bool IsEmpty => _running.Count == 0 && _waiting.Count == 0;

    /// <summary>How long answers are, to predict those to come.</summary>
    public AnswerLengths Lengths { get; } = new();

    /// <summary>Most tokens of a step, and so of a text or an encoder's input, which are computed in one.</summary>
    public int MaxTokens => _maxTokens;

    /// <summary>Called when a sequence gives its blocks up.</summary>
    public Action<Sequence>? Released { get; init; }

    /// <summary>What the encoder has to read, before anything else.</summary>
    public StepPart Encode { get; } = new();

    /// <summary>What needs logits.</summary>
    public StepPart Logits { get; } = new();

    /// <summary>What needs hidden states.</summary>
    public StepPart Hidden { get; } = new();

    public void Enqueue(Sequence sequence)
    {
        sequence.Share = _clients.Enter(sequence.Terms.Client);
        Insert(_waiting, sequence);
    }

    /// <summary>Takes a sequence out and frees its blocks.</summary>
    public void Remove(Sequence sequence)
    {
        Release(sequence);
        (sequence.Running ? _running : _waiting).Remove(sequence);
        sequence.Running = false;
        _clients.Leave(sequence.Share);
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

    /// <summary>Fills <see cref="Encode"/>, <see cref="Logits"/> and <see cref="Hidden"/>; all empty means that there is nothing to do.</summary>
    public void Build(long now)
    {
        _now = now;
        _tokensLeft = _maxTokens;
        _rowsLeft = _maxRows;
        Encode.Clear();
        Encode.Batch.Encodes = true;
        Logits.Clear();
        Hidden.Clear();
        MakeRoomForUrgent();
        _inputLeft = _maxTokens;
        if (Decode())
        {
            _tokensLeft = Math.Min(_tokensLeft, _chunkTokens);
            _inputLeft = Math.Min(_inputLeft, _chunkTokens);
        }

        Prefill();
        AddStateCopies();
        Count();
    }

    /// <summary>The sequences that can go on with a token now, for proposals; valid until the next call.</summary>
    public List<Sequence> Decoding()
    {
        _scratch.Clear();
        foreach (var sequence in _running)
        {
            if (sequence.Decoding && !Paused(sequence))
                _scratch.Add(sequence);
        }

        return _scratch;
    }

    /// <summary>A token of each running sequence, with what is proposed to follow; true if there was one.</summary>
    private bool Decode()
    {
        var decoding = Decoding();

        // Proposals leave each sequence its token, and half of the step to prompts. With many sequences they do not pay.
        var spare = Math.Min(Math.Min(_rowsLeft, MostVerifiedRows) - decoding.Count, (_tokensLeft - decoding.Count) / 2);
        foreach (var sequence in decoding)
        {
            if (sequence.Running && Cover(sequence, sequence.Computed + 1))
                spare -= PlanDecode(sequence, Math.Max(0, spare));
        }

        return decoding.Count > 0;
    }

    /// <summary>Adds the newest token and as many proposed ones as there is room for; returns how many.</summary>
    private int PlanDecode(Sequence sequence, int spare)
    {
        var proposal = sequence.Speculation is { } state ? state.Proposal : default;
        var count = Math.Min(Math.Min(proposal.Length, spare), sequence.MostPerStep - 1);
        if (count <= 0 || sequence.FirstRow != sequence.Computed || !_blocks.TryCover(sequence.Blocks, sequence.Lead + sequence.Computed + 1 + count))
        {
            Plan(sequence);
            return 0;
        }

        var start = sequence.Computed;
        _draft[0] = sequence.Tokens[start];
        proposal[..count].CopyTo(_draft.AsSpan(1));
        Logits.Batch.Add(
            _draft.AsSpan(0, count + 1), start, sequence.BlockSpan(_blocks.BlocksFor(sequence.Lead + start + 1 + count)), count + 1,
            adapter: sequence.Adapter?.Slot ?? 0, encoderTokens: sequence.Input?.Tokens.Length ?? 0);
        Logits.Items.Add(new PlannedItem(sequence, start, count + 1, count + 1, count));
        sequence.Share.Served += ClientLedger.GeneratedWeight;
        _tokensLeft -= count + 1;
        _rowsLeft -= count + 1;
        return count;
    }

    /// <summary>Chunks of prompts, of running sequences and of those that can be admitted.</summary>
    private void Prefill()
    {
        _scratch.Clear();
        foreach (var sequence in _running)
        {
            if (!sequence.Decoding && sequence.Computed < sequence.FeedEnd && !Paused(sequence))
                _scratch.Add(sequence);
        }

        foreach (var sequence in _waiting)
        {
            if (sequence.FeedEnd > 0 && !Paused(sequence))
                _scratch.Add(sequence);
        }

        var blocked = false;
        while (_tokensLeft > 0 && TakeNext(blocked) is { } sequence)
        {
            // Nobody overtakes one that does not fit.
            if (Fits(sequence) && (sequence.Running || TryAdmit(sequence)))
                Plan(sequence);
            else
                blocked = true;
        }
    }

    /// <summary>Whether the step has room for what cannot be cut. The first encoder input always fits: cutting it is no way to hold it off.</summary>
    private bool Fits(Sequence sequence) => sequence switch
    {
        { Input: { } input, Encoded: false } => Encode.Items.Count == 0 || input.Tokens.Length <= _inputLeft,
        _ => !_wholeTexts || sequence.FeedEnd <= _tokensLeft,
    };

    /// <summary>Takes the next sequence from the scratch list.</summary>
    private Sequence? TakeNext(bool runningOnly)
    {
        var best = -1;
        for (var i = 0; i < _scratch.Count; i++)
        {
            if ((!runningOnly || _scratch[i].Running) && (best < 0 || Goes(_scratch[i], _scratch[best])))
                best = i;
        }

        if (best < 0)
            return null;
        var next = _scratch[best];
        _scratch.RemoveAt(best);
        return next;
    }

    private static bool Goes(Sequence one, Sequence other)
    {
        if (one.Terms.Priority != other.Terms.Priority)
            return one.Terms.Priority < other.Terms.Priority;
        return one.Share.Served != other.Share.Served ? one.Share.Served < other.Share.Served : one.Arrival < other.Arrival;
    }

    /// <summary>Adds the next chunk of a sequence, as long as the step has tokens and rows left.</summary>
    private void Plan(Sequence sequence)
    {
        if (sequence is { Input: { } input, Encoded: false })
        {
            Encode.Batch.Add(input.Tokens, 0, sequence.BlockSpan(_blocks.BlocksFor(sequence.Lead)), 0, adapter: sequence.Adapter?.Slot ?? 0);
            Encode.Items.Add(new PlannedItem(sequence, 0, input.Tokens.Length, 0, 0));
            sequence.Started ??= _now;
            sequence.Share.Served += input.Tokens.Length;
            _inputLeft -= input.Tokens.Length;
            return;
        }

        var start = sequence.Computed;
        var end = Math.Min(sequence.FeedEnd, start + _tokensLeft);
        var logits = sequence.Output == StepOutput.Logits;
        var firstRow = Math.Max(start, sequence.FirstRow);
        if (logits)
            end = Math.Min(end, firstRow + _rowsLeft);
        if (end <= start)
            return;
        end = CutForState(sequence, start, end);
        var rows = Math.Max(0, end - firstRow);
        var part = logits ? Logits : Hidden;
        part.Batch.Add(
            sequence.Tokens[start..end], start, sequence.BlockSpan(_blocks.BlocksFor(sequence.Lead + end)), rows, sequence.StateSlot,
            adapter: sequence.Adapter?.Slot ?? 0, encoderTokens: sequence.Input?.Tokens.Length ?? 0);
        Restore(sequence);
        part.Items.Add(new PlannedItem(sequence, start, end - start, rows, 0));
        if (sequence.CopySource is { } source)
            part.Batch.AddCopy(source, sequence.Blocks[sequence.NodeBlocks]);
        sequence.Started ??= _now;
        sequence.Share.Served += start >= sequence.PromptLength ? ClientLedger.GeneratedWeight * (end - start) : end - start;
        _tokensLeft -= end - start;
        if (logits)
            _rowsLeft -= rows;
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

    /// <summary>Keeps a list in order of rank.</summary>
    private static void Insert(List<Sequence> list, Sequence sequence)
    {
        var at = list.Count;
        while (at > 0 && sequence.Precedes(list[at - 1]))
            at--;
        list.Insert(at, sequence);
    }
}
