using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>
/// A pipeline without a model: it stores the tokens of each step in the KV blocks that the batch names, and its logits at a
/// position are a hash of all tokens it reads back through the block table. So any mistake with blocks, positions or
/// chunks changes the output.
/// </summary>
internal sealed class HashPipeline : IPipeline
{
    private readonly int[] _cache;
    private readonly SemaphoreSlim? _gate;
    private readonly ulong _salt;
    private readonly (ulong Hash, int Count)[] _states;
    private float[] _rows = [];

    public HashPipeline(int vocab = 50, int blockSize = 4, int blockCount = 64, int maxStepTokens = 32, int context = 200, SemaphoreSlim? gate = null, ulong salt = 1, int stateSlots = 0, bool causal = true, bool encoder = false)
    {
        BlockSize = blockSize;
        BlockCount = blockCount;
        MaxStepTokens = maxStepTokens;
        _cache = new int[blockSize * blockCount];
        _gate = gate;
        _salt = salt;
        StateSlots = stateSlots;
        _states = new (ulong, int)[stateSlots];
        Config = new ModelConfig
        {
            Architecture = "hash",
            LayerCount = 1,
            HiddenSize = 8,
            FeedForwardSize = 8,
            HeadCount = 1,
            KeyValueHeadCount = 1,
            HeadSize = 8,
            VocabSize = vocab,
            ContextLength = context,
            NormEpsilon = 1e-5f,
            Rope = new RopeConfig { Base = 10000, Dimensions = 8, NeoX = false },
            IsCausal = causal,
            Encoder = encoder ? new EncoderConfig(1, 3) : null,
        };
    }

    public ModelConfig Config { get; }

    public int BlockSize { get; }

    public int BlockCount { get; }

    public int MaxStepTokens { get; }

    /// <summary>If any, the logits come from the state in the sequence's slot, and the KV blocks are written but not read.</summary>
    public int StateSlots { get; }

    /// <summary>Called at the start of each step, on the scheduler's thread.</summary>
    public Action<StepBatch>? OnStep { get; set; }

    /// <summary>If set, replaces logits that would be returned.</summary>
    public Action<StepBatch, float[]>? OnRows { get; set; }

    public async ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        OnStep?.Invoke(batch);
        if (_gate is not null)
            await _gate.WaitAsync(cancellationToken);
        return Compute(batch, output);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The logits after <paramref name="tokens"/>, computed without any cache.</summary>
    /// <param name="encoder">What the encoder has read.</param>
    public float[] Reference(ReadOnlySpan<int> tokens, ReadOnlySpan<int> encoder = default)
    {
        var hash = _salt;
        foreach (var token in encoder)
            hash = Mix(hash, token);
        foreach (var token in tokens)
            hash = Mix(hash, token);
        var row = new float[Config.VocabSize];
        Fill(row, hash);
        return row;
    }

    private ReadOnlyMemory<float> Compute(StepBatch batch, StepOutput output)
    {
        if (batch.TokenCount > MaxStepTokens)
            throw new InvalidOperationException("Too many tokens in a step.");
        var width = output == StepOutput.Logits ? Config.VocabSize : Config.HiddenSize;
        if (_rows.Length < batch.OutputRows.Length * width)
            _rows = new float[batch.OutputRows.Length * width];
        foreach (ref readonly var copy in batch.Copies)
            _cache.AsSpan(copy.From * BlockSize, BlockSize).CopyTo(_cache.AsSpan(copy.To * BlockSize));
        foreach (ref readonly var item in batch.Items)
        {
            if ((!Config.IsCausal || batch.Encodes) && item.StartPosition > 0)
                throw new InvalidOperationException("A text was cut.");
            if (Config.Encoder is not null && batch.Encodes == item.EncoderTokens > 0)
                throw new InvalidOperationException($"A step of {item.EncoderTokens} encoder tokens encodes: {batch.Encodes}.");
            var blocks = batch.BlocksOf(item)[item.LeadingBlocks(BlockSize)..];
            for (var t = 0; t < item.Count; t++)
            {
                var position = item.StartPosition + t;
                _cache[blocks[position / BlockSize] * BlockSize + position % BlockSize] = batch.Tokens[item.FirstToken + t];
            }
        }

        foreach (ref readonly var copy in batch.StateCopies)
            _states[copy.To] = _states[copy.From];
        var written = 0;
        foreach (ref readonly var item in batch.Items)
        {
            if (StateSlots > 0)
            {
                written = ComputeState(batch, item, written, width);
                continue;
            }

            var input = batch.BlocksOf(item);
            var blocks = input[item.LeadingBlocks(BlockSize)..];
            for (var t = 0; t < item.Count; t++)
            {
                if (!batch.OutputRows.Contains(item.FirstToken + t))
                    continue;
                var hash = _salt;
                for (var i = 0; i < item.EncoderTokens; i++)
                    hash = Mix(hash, _cache[input[i / BlockSize] * BlockSize + i % BlockSize]);
                for (var position = 0; position <= item.StartPosition + t; position++)
                    hash = Mix(hash, _cache[blocks[position / BlockSize] * BlockSize + position % BlockSize]);
                Fill(_rows.AsSpan(written++ * width, width), hash);
            }
        }

        OnRows?.Invoke(batch, _rows);
        return _rows.AsMemory(0, written * width);
    }

    private int ComputeState(StepBatch batch, StepItem item, int written, int width)
    {
        ref var state = ref _states[item.StateSlot];
        if (item.StartPosition == 0)
            state = (_salt, 0);
        if (state.Count != item.StartPosition)
            throw new InvalidOperationException($"The state is that after {state.Count} tokens, but the step starts at {item.StartPosition}.");
        for (var t = 0; t < item.Count; t++)
        {
            state = (Mix(state.Hash, batch.Tokens[item.FirstToken + t]), state.Count + 1);
            if (batch.OutputRows.Contains(item.FirstToken + t))
                Fill(_rows.AsSpan(written++ * width, width), state.Hash);
        }

        return written;
    }

    private static void Fill(Span<float> row, ulong hash)
    {
        for (var i = 0; i < row.Length; i++)
            row[i] = (Mix(hash, i) >> 40) * (8f / (1 << 24)) - 4;
    }

    private static ulong Mix(ulong hash, int value)
    {
        var x = (hash ^ (uint)value) * 0x9E3779B97F4A7C15;
        x ^= x >> 29;
        x *= 0xBF58476D1CE4E5B9;
        return x ^ (x >> 32);
    }
}
