namespace Slm.Engine.Execution;

/// <summary>
/// One ragged step: for each sequence some new tokens at consecutive positions, and the KV blocks that hold its state.
/// It is filled anew for each step and never allocates once it has grown to the largest step.
/// </summary>
/// <remarks>
/// The block tables are the whole state protocol: whoever schedules owns the blocks, and a stage only stores keys and
/// values where the table says. Position p of a sequence lives in block <c>table[p / blockSize]</c>, row <c>p % blockSize</c>;
/// with an encoder the blocks of its input come first.
/// </remarks>
public sealed class StepBatch
{
    private int[] _tokens = new int[64];
    private StepItem[] _items = new StepItem[8];
    private int[] _blocks = new int[64];
    private int[] _outputs = new int[8];
    private BlockCopy[] _copies = new BlockCopy[8];
    private StateCopy[] _stateCopies = new StateCopy[8];
    private int _tokenCount, _itemCount, _blockCount, _outputCount, _copyCount, _stateCopyCount;

    /// <summary>All new tokens, item after item.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _tokenCount);

    /// <summary>The sequences of this step.</summary>
    public ReadOnlySpan<StepItem> Items => _items.AsSpan(0, _itemCount);

    /// <summary>Indices into <see cref="Tokens"/>, ascending, whose logits (or final hidden states) are wanted.</summary>
    public ReadOnlySpan<int> OutputRows => _outputs.AsSpan(0, _outputCount);

    /// <summary>Blocks to copy, in this order, before anything is computed.</summary>
    public ReadOnlySpan<BlockCopy> Copies => _copies.AsSpan(0, _copyCount);

    /// <summary>State slots to copy, in this order, before anything is computed: snapshots, then those that are restored.</summary>
    public ReadOnlySpan<StateCopy> StateCopies => _stateCopies.AsSpan(0, _stateCopyCount);

    /// <summary>
    /// The tokens are input of the encoder of an encoder-decoder model, each sequence's all of it, from position 0. The step
    /// leaves the keys and values of the decoder's cross attention in the sequences' blocks, for steps with
    /// <see cref="StepItem.EncoderTokens"/> to read. It has no output rows.
    /// </summary>
    public bool Encodes { get; set; }

    /// <summary>Number of new tokens in the step.</summary>
    public int TokenCount => _tokenCount;

    /// <summary>KV blocks of an item, in order of position.</summary>
    public ReadOnlySpan<int> BlocksOf(in StepItem item) => _blocks.AsSpan(item.FirstBlock, item.BlockCount);

    /// <summary>Empties the batch and keeps its memory.</summary>
    public void Clear()
    {
        _tokenCount = _itemCount = _blockCount = _outputCount = _copyCount = _stateCopyCount = 0;
        Encodes = false;
    }

    /// <summary>Has every stage copy a block's contents before the step: a sequence that leaves a shared one goes on in its own.</summary>
    public void AddCopy(int from, int to)
    {
        Grow(ref _copies, _copyCount + 1);
        _copies[_copyCount++] = new BlockCopy(from, to);
    }

    /// <summary>Has every stage copy the state of its recurrent layers from slot to slot before the step.</summary>
    public void AddStateCopy(int from, int to)
    {
        Grow(ref _stateCopies, _stateCopyCount + 1);
        _stateCopies[_stateCopyCount++] = new StateCopy(from, to);
    }

    /// <summary>Adds a sequence's new tokens.</summary>
    /// <param name="tokens">Token ids at positions <paramref name="startPosition"/> and following.</param>
    /// <param name="startPosition">Number of tokens of the sequence already in the KV cache.</param>
    /// <param name="blockTable">Blocks that cover positions 0 to the last new one.</param>
    /// <param name="outputs">How many of the last tokens need an output row: 0, 1 for the next token, or more for scoring.</param>
    /// <param name="stateSlot">Slot of its recurrent state; -1 where the model has none.</param>
    /// <param name="adapter">Slot of its adapter; 0: none.</param>
    /// <param name="encoderTokens">Tokens of the encoder's input, whose blocks are the first of the table; 0 without an encoder.</param>
    public void Add(
        ReadOnlySpan<int> tokens, int startPosition, ReadOnlySpan<int> blockTable, int outputs, int stateSlot = -1, int adapter = 0, int encoderTokens = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens.Length, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(startPosition);
        ArgumentOutOfRangeException.ThrowIfNegative(outputs);
        ArgumentOutOfRangeException.ThrowIfNegative(encoderTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(outputs, tokens.Length);
        Grow(ref _tokens, _tokenCount + tokens.Length);
        Grow(ref _items, _itemCount + 1);
        Grow(ref _blocks, _blockCount + blockTable.Length);
        Grow(ref _outputs, _outputCount + outputs);
        _items[_itemCount++] = new StepItem(_tokenCount, tokens.Length, startPosition, _blockCount, blockTable.Length, stateSlot, adapter, encoderTokens);
        tokens.CopyTo(_tokens.AsSpan(_tokenCount));
        blockTable.CopyTo(_blocks.AsSpan(_blockCount));
        _tokenCount += tokens.Length;
        _blockCount += blockTable.Length;
        for (var i = outputs; i > 0; i--)
            _outputs[_outputCount++] = _tokenCount - i;
    }

    private static void Grow<T>(ref T[] array, int needed)
    {
        if (array.Length < needed)
            Array.Resize(ref array, Math.Max(needed, array.Length * 2));
    }
}

/// <summary>A KV block whose contents another one is to get.</summary>
/// <param name="From">The source.</param>
/// <param name="To">The target.</param>
public readonly record struct BlockCopy(int From, int To);

/// <summary>A slot of recurrent state whose contents another one is to get.</summary>
/// <param name="From">The source.</param>
/// <param name="To">The target.</param>
public readonly record struct StateCopy(int From, int To);

/// <summary>One sequence of a <see cref="StepBatch"/>.</summary>
/// <param name="FirstToken">Index of its first new token in <see cref="StepBatch.Tokens"/>.</param>
/// <param name="Count">Number of new tokens, at least 1.</param>
/// <param name="StartPosition">Position of the first new token in its sequence.</param>
/// <param name="FirstBlock">Start of its block table in the batch.</param>
/// <param name="BlockCount">Length of its block table.</param>
/// <param name="StateSlot">
/// Slot of the state of recurrent layers, which after the step is that behind the last new token. At position 0 the state
/// starts anew whatever the slot holds. -1 where the model has none.
/// </param>
/// <param name="Adapter">Slot of the adapter that changes the model for it; 0: none.</param>
/// <param name="EncoderTokens">
/// Tokens of the encoder's input, computed by an earlier step: its blocks lead the table, and position 0 of the sequence is
/// in the block behind them. 0 without an encoder, and while it encodes.
/// </param>
public readonly record struct StepItem(int FirstToken, int Count, int StartPosition, int FirstBlock, int BlockCount, int StateSlot = -1, int Adapter = 0, int EncoderTokens = 0)
{
    /// <summary>Blocks of the encoder's input at the head of the table.</summary>
    public int LeadingBlocks(int blockSize) => (EncoderTokens + blockSize - 1) / blockSize;
}
