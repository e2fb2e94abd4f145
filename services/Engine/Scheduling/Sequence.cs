using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Scheduling;

/// <summary>How a request ended while its step was in flight.</summary>
internal enum EarlyEnd
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>Its deadline passed.</summary>
    Expired,

    /// <summary>With an error.</summary>
    Failed,
}

/// <summary>
/// State of one request: its tokens, how many of them the pipeline has computed, and the KV blocks that hold them.
/// The scheduler's loop owns it; a client only sets <see cref="Cancelled"/> and <see cref="Satisfied"/>.
/// </summary>
internal abstract class Sequence(int[] tokens, int promptLength)
{
    private int[] _tokens = tokens;
    private volatile bool _cancelled;
    private volatile bool _stalled;
    private volatile bool _satisfied;

    /// <summary>Order of submission; a preempted sequence keeps its place.</summary>
    public long Arrival { get; set; }

    /// <summary>Time stamps of submission and of the first step.</summary>
    public long Submitted { get; set; }

    public long? Started { get; set; }

    public int Preemptions { get; set; }

    public int PromptLength { get; } = promptLength;

    /// <summary>Tokens of prompt and answer.</summary>
    public int Count { get; private set; } = tokens.Length;

    /// <summary>Tokens whose keys and values are in the KV blocks.</summary>
    public int Computed { get; set; }

    /// <summary>KV blocks in order of position.</summary>
    public List<int> Blocks { get; } = [];

    /// <summary>What the model's encoder reads before; null for a model without one.</summary>
    public EncoderInput? Input { get; init; }

    /// <summary>What the encoder makes of <see cref="Input"/> is in the blocks.</summary>
    public bool Encoded { get; set; }

    /// <summary>Positions of whole blocks that <see cref="Input"/> takes before those of the sequence's own tokens.</summary>
    public int Lead => Input?.Positions ?? 0;

    /// <summary>Positions in the blocks that are computed, those of the encoder included.</summary>
    public int Filled => Input is null || Encoded ? Lead + Computed : 0;

    /// <summary>How it shares the model.</summary>
    public RequestTerms Terms { get; init; } = RequestTerms.Default;

    /// <summary>Name of the adapter it wants; null: none.</summary>
    public string? AdapterName { get; init; }

    /// <summary>That adapter, held from submission to the end.</summary>
    public LoadedAdapter? Adapter { get; set; }

    /// <summary>Whose computed prefixes it may use: those of exactly the same encoder input, which is seen from all that follows.</summary>
    public PrefixScope Scope => new(Input?.Scope(Terms.Scope) ?? Terms.Scope, Adapter?.Number ?? 0);

    /// <summary>Whose it is; set when it is queued.</summary>
    public ClientShare Share { get; set; } = null!;

    /// <summary>Time stamp at which it ends unfinished.</summary>
    public long? Deadline { get; set; }

    /// <summary>Wakes the loop at the deadline.</summary>
    public ITimer? Alarm { get; set; }

    /// <summary>KV positions it was predicted to need when it was accepted.</summary>
    public int Demand { get; set; }

    /// <summary>Most tokens that may still be added to those it has.</summary>
    public virtual int MostNewTokens => 0;

    /// <summary>The last of its blocks that is in the prefix tree, and the number of blocks up to it.</summary>
    public PrefixNode? Node { get; set; }

    public int NodeBlocks { get; set; }

    /// <summary>Slot of its recurrent state; -1 while it has none.</summary>
    public int StateSlot { get; set; } = -1;

    /// <summary>A block whose state is to be copied to <see cref="StateSlot"/> before the next step.</summary>
    public PrefixNode? StateSource { get; set; }

    /// <summary>The block whose state it has kept last while generating.</summary>
    public PrefixNode? StateKept { get; set; }

    /// <summary>What its blocks hold is not certain: nobody else is to use them.</summary>
    public bool Doubtful { get; set; }

    /// <summary>A block held until its contents are copied to the block behind <see cref="Node"/>.</summary>
    public int? CopySource { get; set; }

    /// <summary>Prompt tokens that did not have to be computed when it was first admitted.</summary>
    public int Reused { get; set; }

    /// <summary>True while it holds a place in the batch.</summary>
    public bool Running { get; set; }

    /// <summary>Steps that are planned or run and that it is part of: more than one only while its prompt is read.</summary>
    public int Flights { get; set; }

    /// <summary>Part of a step that is planned or runs: its blocks are not taken before that has ended.</summary>
    public bool InFlight => Flights > 0;

    /// <summary>Tokens up to here, exclusive, are computed or in flight; counts while it is in flight.</summary>
    public int Planned { get; set; }

    /// <summary>Position of the next token to plan.</summary>
    public int NextStart => InFlight ? Planned : Computed;

    /// <summary>Its client was told that it has ended, while in flight: it leaves when its step ends.</summary>
    public EarlyEnd Ended { get; set; }

    /// <summary>Its last step was lost.</summary>
    public bool Lost { get; set; }

    /// <summary>When it decoded last, in steps.</summary>
    public long Turn { get; set; }

    /// <summary>The client has what it wanted and left: not an abandoned request.</summary>
    public bool Satisfied
    {
        get => _satisfied;
        set => _satisfied = value;
    }

    /// <summary>The client has gone.</summary>
    public bool Cancelled
    {
        get => _cancelled;
        set => _cancelled = value;
    }

    /// <summary>Paused because its consumer is slow.</summary>
    public bool Stalled
    {
        get => _stalled;
        set => _stalled = value;
    }

    /// <summary>Nothing more is to be computed; <see cref="Conclude"/> tells the client.</summary>
    public bool Finished { get; protected set; }

    /// <summary>What the pipeline is to return for it.</summary>
    public abstract StepOutput Output { get; }

    /// <summary>Tokens up to here, exclusive, are to be computed before it can go on.</summary>
    public abstract int FeedEnd { get; }

    /// <summary>Position of the first output row it still needs; all later ones up to <see cref="FeedEnd"/> are needed too.</summary>
    public abstract int FirstRow { get; }

    /// <summary>False while the consumer has to take events first.</summary>
    public virtual bool HasRoom => true;

    /// <summary>What it speculates; null if it does not.</summary>
    public SpeculationState? Speculation { get; init; }

    /// <summary>Most tokens that one step may add to it.</summary>
    public virtual int MostPerStep => 1;

    /// <summary>True if only the newest token is missing.</summary>
    public bool Decoding => Computed > 0 && FeedEnd - Computed == 1;

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>Rank: priority, then arrival.</summary>
    public bool Precedes(Sequence other) =>
        Terms.Priority != other.Terms.Priority ? Terms.Priority < other.Terms.Priority : Arrival < other.Arrival;

    /// <summary>What a full block holds: tokens, and behind the encoder's input -1.</summary>
    public ReadOnlySpan<int> BlockTokens(int block, int size) =>
        block * size < Lead ? Input!.Padded.AsSpan(block * size, size) : Tokens.Slice((block * size) - Lead, size);

    public ReadOnlySpan<int> BlockSpan(int blocks) => CollectionsMarshal.AsSpan(Blocks)[..blocks];

    /// <summary>Takes the output row of the token at <paramref name="position"/>; rows come in order, each once.</summary>
    public abstract void Accept(int position, ReadOnlySpan<float> row, TokenSampler sampler, long now);

    /// <summary>Does what is needed for the next token and can be done while a step runs.</summary>
    public virtual void Prepare()
    {
    }

    /// <summary>Proposes tokens of which there is no choice: how many.</summary>
    public virtual int Forced(Span<int> room) => 0;

    /// <summary>Called when all up to <see cref="FeedEnd"/> is computed and it has not finished.</summary>
    public abstract void Complete(long now);

    /// <summary>Gives the client the last result, after the sequence's blocks are free.</summary>
    public abstract void Conclude();

    /// <summary>Ends the request with an error.</summary>
    public abstract void Fail(Exception error);

    protected void Append(int token)
    {
        if (Count == _tokens.Length)
            Array.Resize(ref _tokens, Math.Max(16, Count * 2));
        _tokens[Count++] = token;
    }
}
