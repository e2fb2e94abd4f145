using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>How many KV blocks and slots of recurrent state a model gets.</summary>
/// <param name="BlockCount">KV blocks.</param>
/// <param name="StateSlots">Slots; 0 for a model without recurrent layers.</param>
public readonly record struct CachePlan(int BlockCount, int StateSlots)
{
    /// <summary>Bytes of keys and values of one position over some layers.</summary>
    public static long BytesPerToken(ModelConfig config, LayerRange layers, KvType type) =>
        Sum(config, layers, state => KvCache.TileBytes(state.Attention, type)) / AttentionState.TilePositions;

    /// <summary>The same over all layers.</summary>
    public static long BytesPerToken(ModelConfig config, KvType type) => BytesPerToken(config, All(config), type);

    /// <summary>Bytes of a slot of recurrent state over some layers.</summary>
    public static long BytesPerState(ModelConfig config, LayerRange layers) => Sum(config, layers, RecurrentCache.Bytes);

    /// <summary>The same over all layers.</summary>
    public static long BytesPerState(ModelConfig config) => BytesPerState(config, All(config));

    /// <summary>Least bytes that hold something: a block and a state.</summary>
    public static long LeastBytes(ModelConfig config, int blockSize, KvType type) => (BytesPerToken(config, type) * blockSize) + BytesPerState(config);

    /// <summary>Shares memory out: to blocks, or to slots, or to both where a model has both, a quarter to slots.</summary>
    /// <param name="config">The model, with the context length it is to serve.</param>
    /// <param name="blockSize">Positions per block.</param>
    /// <param name="type">What keys and values are kept as.</param>
    /// <param name="bytes">Memory, at least <see cref="LeastBytes"/>.</param>
    /// <param name="sequences">Most sequences at a time; no more is taken than they can use.</param>
    /// <param name="slots">Slots where the caller knows better; they do not count as memory then.</param>
    public static CachePlan For(ModelConfig config, int blockSize, KvType type, long bytes, int sequences, int? slots = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        var perSequence = (config.ContextLength + (long)blockSize - 1) / blockSize;
        var blockBytes = BytesPerToken(config, type) * blockSize;
        var stateBytes = BytesPerState(config);
        if (stateBytes == 0)
            return new CachePlan(Count(bytes / blockBytes, sequences * perSequence), 0);

        // One state for each sequence, and as many to keep for others.
        var count = slots ?? Count((blockBytes == 0 ? bytes : bytes / 4) / stateBytes, 2L * sequences);
        if (blockBytes == 0)
            return new CachePlan(Count(count * perSequence, sequences * perSequence), count);
        var rest = slots is null ? bytes - (count * stateBytes) : bytes;
        return new CachePlan(Count(rest / blockBytes, sequences * perSequence), count);
    }

    private static int Count(long wanted, long most) => (int)Math.Clamp(wanted, 1, Math.Min(most, int.MaxValue));

    private static LayerRange All(ModelConfig config) => new(0, config.LayerCount);

    private static long Sum(ModelConfig config, LayerRange layers, Func<LayerState, long> bytes)
    {
        var sum = 0L;
        for (var layer = layers.First; layer < layers.End; layer++)
            sum += bytes(config.StateOf(layer));
        return sum;
    }
}
