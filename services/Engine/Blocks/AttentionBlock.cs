using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Rotations of queries and keys.</summary>
internal enum Rotation
{
    /// <summary>Positions are not seen.</summary>
    None,

    /// <summary>By <see cref="Models.ModelConfig.Rope"/>.</summary>
    Usual,

    /// <summary>By <see cref="Models.ModelConfig.WindowRope"/>.</summary>
    Window,
}

/// <summary>
/// Causal grouped-query attention (Ainslie et al. 2023) over the paged cache: x += W_o · softmax(q·kᵀ/√d)·v with rotary
/// positions and, if present, RMS norms of each head of q and k before the rotation;
/// a query may be limited to a window of positions.
/// </summary>
internal sealed unsafe class AttentionBlock : IBlock
{
    private readonly int _cacheLayer;

    /// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
    public AttentionBlock(int cacheLayer) => _cacheLayer = cacheLayer;

    public required Norm InputNorm { get; init; }

    public required Linear Query { get; init; }

    public required Linear Key { get; init; }

    public required Linear Value { get; init; }

    public required Residual Output { get; init; }

    /// <summary>Positions that a query sees, its own included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Which rotation queries and keys get.</summary>
    public Rotation Rotation { get; init; } = Rotation.Usual;

    public Norm? QueryNorm { get; init; }

    public Norm? KeyNorm { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var tokens = context.Tokens;
        var x = context.Normed;
        InputNorm.Forward(context, context.Hidden, tokens, Query.WantsInt8 || Key.WantsInt8 || Value.WantsInt8);
        var products = new ProductsWork(
            context,
            Query.Task(context, x, tokens, context.Query),
            Key.Task(context, x, tokens, context.Key),
            Value.Task(context, x, tokens, context.Value));
        context.Workers.Run(products.Parts, ref products);

        var place = new PlaceWork(this, context);
        context.ForEachToken(tokens, ref place);

        var attend = new AttendWork(_cacheLayer, Window, context);
        context.Workers.Run(attend.Parts, ref attend);

        Output.Add(context, context.Attended);
    }

    /// <summary>One token: norms and rotates its heads, stores its keys and values.</summary>
    private readonly struct PlaceWork(AttentionBlock block, StepContext context) : IParallelWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var config = context.Config;
            var size = config.HeadSize;
            var query = context.Query + ((nint)part * config.HeadCount * size);
            var key = context.Key + ((nint)part * config.KeyValueHeadCount * size);
            var value = context.Value + ((nint)part * config.KeyValueHeadCount * size);
            if (block.QueryNorm is { } queryNorm)
            {
                for (var head = 0; head < config.HeadCount; head++)
                    queryNorm.InPlace(context, query + ((nint)head * size));
            }

            if (block.KeyNorm is { } keyNorm)
            {
                for (var head = 0; head < config.KeyValueHeadCount; head++)
                    keyNorm.InPlace(context, key + ((nint)head * size));
            }

            if (block.Rotation != Rotation.None)
            {
                var pairs = config.Rope.Dimensions / 2;
                var cosines = block.Rotation == Rotation.Window ? context.WindowCosines : context.Cosines;
                var sines = block.Rotation == Rotation.Window ? context.WindowSines : context.Sines;
                var cos = cosines + ((nint)part * pairs);
                var sin = sines + ((nint)part * pairs);
                Rope.Rotate(query, config.HeadCount, size, cos, sin, pairs, config.Rope.NeoX);
                Rope.Rotate(key, config.KeyValueHeadCount, size, cos, sin, pairs, config.Rope.NeoX);
            }

            var cache = context.Cache;
            var position = context.Positions[part];
            var table = context.Batch.BlocksOf(in context.Batch.Items[context.Items[part]]);
            var at = table[position / cache.BlockSize];
            for (var head = 0; head < config.KeyValueHeadCount; head++)
                cache.Store(block._cacheLayer, at, position % cache.BlockSize, head, key + ((nint)head * size), value + ((nint)head * size));
        }
    }
}
