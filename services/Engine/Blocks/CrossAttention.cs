using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Attention of a decoder's positions to all of the encoder's output (Vaswani et al. 2017), whose keys and values <see cref="CrossMemory"/> has stored.</summary>
/// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
/// <param name="shape">Its heads.</param>
/// <param name="scale">Factor of q·k.</param>
internal sealed unsafe class CrossAttention(int cacheLayer, AttentionShape shape, float scale) : IMixer
{
    public required Linear Query { get; init; }

    public required Residual Output { get; init; }

    /// <inheritdoc/>
    public bool WantsInt8 => Query.WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        Query.Multiply(context, context.Normed, context.Tokens, context.Query);
        var attend = new AttendWork(cacheLayer, shape, scale, window: 0, context, Sight.Encoder);
        context.Workers.Run(attend.Parts, ref attend);
    }

    /// <inheritdoc/>
    public void Add(StepContext context) => Output.Add(context, context.Attended);
}

/// <summary>
/// Keys and values of the encoder's output for a decoder layer's <see cref="CrossAttention"/>, stored where the step's block
/// tables say. The layer's own keys and values have the same shape and are in other blocks of the sequence, so that both
/// share one cache; the residual stream, which holds the encoder's output, goes on to the next layer as it is.
/// </summary>
/// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
/// <param name="shape">Its heads.</param>
internal sealed unsafe class CrossMemory(int cacheLayer, AttentionShape shape) : IBlock
{
    public required Linear Key { get; init; }

    public required Linear Value { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        CopyWork.Run(context, Key.WantsInt8 || Value.WantsInt8);
        var tokens = context.Tokens;
        var products = new ProductsWork(
            context, Key.Task(context, context.Normed, tokens, context.Key), Value.Task(context, context.Normed, tokens, context.Value), default);
        context.Workers.Run(products.Parts, ref products);
        var store = new StoreWork(context, cacheLayer, shape);
        context.ForEachToken(tokens, ref store);
    }

    private readonly struct StoreWork(StepContext context, int layer, AttentionShape shape) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            var (block, row) = context.PlaceOf(part);
            var key = context.Key + ((nint)part * shape.KeyValueHeads * shape.KeySize);
            var value = context.Value + ((nint)part * shape.KeyValueHeads * shape.ValueSize);
            for (var head = 0; head < shape.KeyValueHeads; head++)
                context.Cache.Store(layer, block, row, head, key + ((nint)head * shape.KeySize), value + ((nint)head * shape.ValueSize));
        }
    }
}
