using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Rotations of queries and keys.</summary>
internal enum Rotation
{
    /// <summary>Positions are not seen.</summary>
    None,

    /// <summary>By <see cref="ModelConfig.Rope"/>.</summary>
    Usual,

    /// <summary>By <see cref="ModelConfig.WindowRope"/>.</summary>
    Window,
}

/// <summary>
/// Grouped-query attention (Ainslie et al. 2023) over the paged cache: W_o · softmax(q·kᵀ/√d)·v with rotary
/// positions and, if present, RMS norms of each head of q and k before the rotation;
/// a query may be limited to a window of positions, or see all of its text. Scores may have a bias by distance.
/// </summary>
/// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
/// <param name="shape">Its heads.</param>
internal sealed unsafe class Attention(int cacheLayer, AttentionShape shape) : IMixer
{
    public required Linear Query { get; init; }

    public required Linear Key { get; init; }

    public required Linear Value { get; init; }

    public required Residual Output { get; init; }

    /// <summary>Factor of q·k.</summary>
    public float Scale { get; init; } = 1 / MathF.Sqrt(shape.KeySize);

    /// <summary>Positions that a query sees, its own included, or of its text those on each side; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Whether a query sees what follows it.</summary>
    public Sight Sight { get; init; } = Sight.Causal;

    /// <summary>Added to the scores; null: nothing.</summary>
    public IPositionBias? Bias { get; init; }

    /// <summary>Which rotation queries and keys get.</summary>
    public Rotation Rotation { get; init; } = Rotation.Usual;

    public Norm? QueryNorm { get; init; }

    public Norm? KeyNorm { get; init; }

    /// <inheritdoc/>
    public bool WantsInt8 => Query.WantsInt8 || Key.WantsInt8 || Value.WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var tokens = context.Tokens;
        var x = context.Normed;
        var products = new ProductsWork(
            context,
            Query.Task(context, x, tokens, context.Query),
            Key.Task(context, x, tokens, context.Key),
            Value.Task(context, x, tokens, context.Value));
        context.Workers.Run(products.Parts, ref products);

        var place = new PlaceWork(this, context);
        context.ForEachToken(tokens, ref place);

        var attend = new AttendWork(cacheLayer, shape, Scale, Window, context, Sight, Bias);
        context.Workers.Run(attend.Parts, ref attend);
    }

    /// <inheritdoc/>
    public void Add(StepContext context) => Output.Add(context, context.Attended);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Place(StepContext context, int token)
    {
        var (heads, keyHeads, size) = (shape.Heads, shape.KeyValueHeads, shape.KeySize);
        var query = context.Query + ((nint)token * heads * size);
        var key = context.Key + ((nint)token * keyHeads * size);
        var value = context.Value + ((nint)token * keyHeads * shape.ValueSize);
        if (QueryNorm is { } queryNorm)
        {
            for (var head = 0; head < heads; head++)
                queryNorm.InPlace(context, query + ((nint)head * size));
        }

        if (KeyNorm is { } keyNorm)
        {
            for (var head = 0; head < keyHeads; head++)
                keyNorm.InPlace(context, key + ((nint)head * size));
        }

        if (Rotation != Rotation.None)
        {
            var rope = context.Config.Rope;
            var pairs = rope.Dimensions / 2;
            var cos = (Rotation == Rotation.Window ? context.WindowCosines : context.Cosines) + ((nint)token * pairs);
            var sin = (Rotation == Rotation.Window ? context.WindowSines : context.Sines) + ((nint)token * pairs);
            Rope.Rotate(query, heads, size, cos, sin, pairs, rope.NeoX);
            Rope.Rotate(key, keyHeads, size, cos, sin, pairs, rope.NeoX);
        }

        var (block, row) = context.PlaceOf(token);
        for (var head = 0; head < keyHeads; head++)
            context.Cache.Store(cacheLayer, block, row, head, key + ((nint)head * size), value + ((nint)head * shape.ValueSize));
    }

    /// <summary>One token: norms and rotates its heads, stores its keys and values.</summary>
    private readonly struct PlaceWork(Attention attention, StepContext context) : IParallelWork
    {
        public void Execute(int part, int worker) => attention.Place(context, part);
    }
}
