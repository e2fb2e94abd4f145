using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

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
/// Where the pipeline takes several steps at a time, those in flight keep their sequences to themselves; the others decode
/// in equal shares, those first that have waited longest. Only a prompt may have several chunks in flight, since they need
/// nothing from each other but what stages, which keep the order of steps, have stored by then.
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
    private readonly IPipeline _pipeline;
    private readonly Stack<StepPart> _spare = [];
    private long _turn;
    private int? _held;
    private long _now;

    public StepPlan(IPipeline pipeline, SchedulerOptions options, BlockManager blocks)
    {
        _pipeline = pipeline;
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

    /// <summary>Called when a sequence gives its blocks up for another.</summary>
    public Action<Sequence>? Preempted { get; init; }

    /// <summary>Steps that the pipeline takes now, of <see cref="IPipeline.Depth"/>.</summary>
    public int FreeSteps { get; set; } = 1;

    /// <summary>Whether chunks of prompts may follow chunks that are in flight: not while results of those may be thrown away.</summary>
    public bool MayFollow { get; set; } = true;

    /// <summary>What the encoder has to read, before anything else.</summary>
    private StepPart Encode { get; set; } = new();

    /// <summary>What needs logits.</summary>
    private StepPart Logits { get; set; } = new();

    /// <summary>What needs hidden states.</summary>
    private StepPart Hidden { get; set; } = new();

    public void Enqueue(Sequence sequence)
    {
        sequence.Share = _clients.Enter(sequence.Terms.Client);
        Insert(_waiting, sequence);
        Count();
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

    /// <summary>Plans what to compute next: the calls of the pipeline, in their order, whose sequences are then in flight. None: there is nothing to do.</summary>
    public void Build(long now, Queue<StepPart> parts)
    {
        _now = now;
        _turn++;
        _held = null;
        _tokensLeft = _maxTokens;
        _rowsLeft = _maxRows;
        Encode.Batch.Encodes = true;
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
        Encode = Depart(Encode, StepOutput.Hidden, parts);
        Logits = Depart(Logits, StepOutput.Logits, parts);
        Hidden = Depart(Hidden, StepOutput.Hidden, parts);
    }

    /// <summary>Takes a part back whose sequences are in flight no more.</summary>
    public void Return(StepPart part)
    {
        part.Clear();
        _spare.Push(part);
    }

    private StepPart Depart(StepPart part, StepOutput output, Queue<StepPart> parts)
    {
        if (part.Items.Count == 0)
            return part;
        part.Output = output;
        foreach (var item in part.Items)
        {
            item.Sequence.Flights++;
            item.Sequence.Planned = item.Start + item.Count;
        }

        parts.Enqueue(part);
        return _spare.TryPop(out var spare) ? spare : new StepPart();
    }

    /// <summary>The sequences that are to go on with a token now, in order of rank; valid until the next call.</summary>
    public List<Sequence> Decoding() => Decoding(out _);

    /// <param name="all">How many can, those in flight included.</param>
    private List<Sequence> Decoding(out int all)
    {
        _scratch.Clear();
        all = 0;
        foreach (var sequence in _running)
        {
            if (!sequence.Decoding)
                continue;
            if (sequence.InFlight)
            {
                all++;
            }
            else if (!Held(sequence) && !Paused(sequence))
            {
                all++;
                _scratch.Add(sequence);
            }
        }

        // With one step at a time the share is all of them.
        var depth = _pipeline.Depth;
        var share = Math.Min(Share(_scratch.Count, FreeSteps), Share(all, depth));
        if (share < _scratch.Count)
        {
            _scratch.Sort(static (a, b) => a.Turn != b.Turn ? a.Turn.CompareTo(b.Turn) : a.Precedes(b) ? -1 : b.Precedes(a) ? 1 : 0);
            _scratch.RemoveRange(share, _scratch.Count - share);
            _scratch.Sort(static (a, b) => a.Precedes(b) ? -1 : b.Precedes(a) ? 1 : 0);
        }

        return _scratch;

        static int Share(int sequences, int steps) => (sequences + steps - 1) / steps;
    }

    /// <summary>It is soon to give way to a more urgent one, for which others in flight have to end.</summary>
    private bool Held(Sequence sequence) => sequence.Terms.Priority > _held;

    /// <summary>A token of each running sequence, with what is proposed to follow; true if there is one that decodes.</summary>
    private bool Decode()
    {
        var decoding = Decoding(out var all);

        // Proposals leave each sequence its token, and half of the step to prompts. With many sequences they do not pay.
        var spare = Math.Min(Math.Min(_rowsLeft, MostVerifiedRows) - decoding.Count, (_tokensLeft - decoding.Count) / 2);
        foreach (var sequence in decoding)
        {
            if (!sequence.Running || !Cover(sequence, sequence.Computed + 1))
                continue;
            spare -= PlanDecode(sequence, Math.Max(0, spare));
            sequence.Turn = _turn;
        }

        return all > 0;
    }

    /// <summary>Adds the newest token and as many proposed ones as there is room for; returns how many.</summary>
    private int PlanDecode(Sequence sequence, int spare)
    {
        var proposal = sequence.Speculation is { } state ? state.Proposal : default;
        var count = Math.Min(Math.Min(proposal.Length, spare), sequence.MostPerStep - 1);
        // Its first step may have a block to copy.
        if (count <= 0 || sequence.CopySource is not null || sequence.FirstRow != sequence.Computed || !_blocks.TryCover(sequence.Blocks, sequence.Lead + sequence.Computed + 1 + count))
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
        sequence.Share.Charge(ClientLedger.GeneratedWeight);
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
            if ((!sequence.InFlight || Follows(sequence)) && !sequence.Decoding && sequence.NextStart < sequence.FeedEnd && !Held(sequence) && !Paused(sequence))
                _scratch.Add(sequence);
        }

        foreach (var sequence in _waiting)
        {
            if (sequence.FeedEnd > 0 && !Held(sequence) && !Paused(sequence))
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

    /// <summary>
    /// Whether another chunk may be planned of a sequence that has some in flight. Recurrent state is kept and copied between steps,
    /// and an encoder reads all of its input first: those wait.
    /// </summary>
    private bool Follows(Sequence sequence) =>
        MayFollow && !HasState && !_wholeTexts && sequence is { Input: null, Ended: EarlyEnd.None, Cancelled: false };

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
        var order = ClientLedger.Compare(one.Share, other.Share);
        return order != 0 ? order < 0 : one.Arrival < other.Arrival;
    }

    /// <summary>Adds the next chunk of a sequence, as long as the step has tokens and rows left.</summary>
    private void Plan(Sequence sequence)
    {
        if (sequence is { Input: { } input, Encoded: false })
        {
            Encode.Batch.Add(input.Tokens, 0, sequence.BlockSpan(_blocks.BlocksFor(sequence.Lead)), 0, adapter: sequence.Adapter?.Slot ?? 0);
            Encode.Items.Add(new PlannedItem(sequence, 0, input.Tokens.Length, 0, 0));
            sequence.Started ??= _now;
            sequence.Share.Charge(input.Tokens.Length);
            _inputLeft -= input.Tokens.Length;
            return;
        }

        var start = sequence.NextStart;
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
        if (sequence.CopySource is { } source && !sequence.InFlight)
            part.Batch.AddCopy(source, sequence.Blocks[sequence.NodeBlocks]);
        sequence.Started ??= _now;
        sequence.Share.Charge(start >= sequence.PromptLength ? ClientLedger.GeneratedWeight * (end - start) : end - start);
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
