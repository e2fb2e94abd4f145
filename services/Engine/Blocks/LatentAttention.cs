using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, 2024) in its absorbed form. Of a position only the normed latent vector c and
/// the rotated key part are kept, once for all heads. A head's key is K_h·c, so its score q·(K_h·c) is (K_hᵀ·q)·c: queries
/// are taken into the space of c, all heads attend to c itself, and V_h turns what they gathered into values.
/// </summary>
/// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
/// <param name="heads">Query heads.</param>
/// <param name="config">Sizes.</param>
internal sealed unsafe class LatentAttention(int cacheLayer, int heads, LatentConfig config) : IMixer
{
    private readonly AttentionShape _shape = config.Shape(heads);

    /// <summary>Residual stream or latent query to heads of [plain | rotated].</summary>
    public required Linear Query { get; init; }

    /// <summary>Residual stream to the latent query, with the norm after it; null if <see cref="Query"/> reads the residual stream.</summary>
    public (Linear Product, Norm Norm)? QueryDown { get; init; }

    /// <summary>Residual stream to [latent | rotated key part].</summary>
    public required Linear KeyValueDown { get; init; }

    /// <summary>Of the latent vector.</summary>
    public required Norm LatentNorm { get; init; }

    /// <summary>K_hᵀ of each head, [latent, plain].</summary>
    public required HeadProducts KeyUp { get; init; }

    /// <summary>V_h of each head, [value, latent].</summary>
    public required HeadProducts ValueUp { get; init; }

    /// <summary>Name of the tensor that both come from, for observers: its products with the latent vector are what it was made for.</summary>
    public required string UpName { get; init; }

    public required Residual Output { get; init; }

    /// <inheritdoc/>
    public bool WantsInt8 => KeyValueDown.WantsInt8 || (QueryDown?.Product ?? Query).WantsInt8;

    private int QuerySize => config.PlainSize + config.RotatedSize;

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var tokens = context.Tokens;
        var room = context.Latent!;
        if (QueryDown is { } down)
        {
            var products = new ProductsWork(
                context, down.Product.Task(context, context.Normed, tokens, room.Query), KeyValueDown.Task(context, context.Normed, tokens, room.Latent), default);
            context.Workers.Run(products.Parts, ref products);
            var norm = new NormWork(context, down.Norm, room.Query, config.QueryRank, Query.WantsInt8);
            context.ForEachToken(tokens, ref norm);
            Query.Multiply(context, room.Query, tokens, room.Queries);
        }
        else
        {
            var products = new ProductsWork(
                context, Query.Task(context, context.Normed, tokens, room.Queries), KeyValueDown.Task(context, context.Normed, tokens, room.Latent), default);
            context.Workers.Run(products.Parts, ref products);
        }

        var place = new PlaceWork(this, context, room);
        context.ForEachToken(tokens, ref place);
        for (var token = 0; token < tokens && context.Observer is not null; token++)
            context.Observer.Observe(UpName, new ReadOnlySpan<float>(room.Latent + ((nint)token * _shape.KeySize), config.KeyValueRank), config.KeyValueRank, 0, 1);
        KeyUp.Forward(context, room.HeadInputs, room.HeadOutputs);
        var gather = new GatherWork(this, context, room);
        context.ForEachToken(tokens, ref gather);

        var attend = new AttendWork(cacheLayer, _shape, 1 / MathF.Sqrt(QuerySize), window: 0, context);
        context.Workers.Run(attend.Parts, ref attend);
    }

    /// <inheritdoc/>
    public void Add(StepContext context)
    {
        var room = context.Latent!;
        var spread = new SwapWork(context, context.Attended, room.HeadInputs, heads, config.KeyValueRank, toHeads: true);
        context.ForEachToken(context.Tokens, ref spread);
        ValueUp.Forward(context, room.HeadInputs, room.HeadOutputs);
        var join = new SwapWork(context, room.Queries, room.HeadOutputs, heads, config.ValueSize, toHeads: false);
        context.ForEachToken(context.Tokens, ref join);
        Output.Add(context, room.Queries);
    }

    /// <summary>One token: norms its latent vector, rotates, stores what is kept, and lays its plain query parts out by head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Place(StepContext context, LatentRoom room, int token)
    {
        var rope = context.Config.Rope;
        var pairs = rope.Dimensions / 2;
        var cos = context.Cosines + ((nint)token * pairs);
        var sin = context.Sines + ((nint)token * pairs);
        var latent = room.Latent + ((nint)token * _shape.KeySize);
        LatentNorm.InPlace(context, latent);
        Rope.Rotate(latent + config.KeyValueRank, 1, config.RotatedSize, cos, sin, pairs, rope.NeoX);
        var (block, row) = context.PlaceOf(token);
        context.Cache.Store(cacheLayer, block, row, 0, latent, latent);

        var query = room.Queries + ((nint)token * heads * QuerySize);
        Rope.Rotate(query + config.PlainSize, heads, QuerySize, cos, sin, pairs, rope.NeoX);
        for (var head = 0; head < heads; head++)
            Copy(query + ((nint)head * QuerySize), room.HeadInputs + ((((nint)head * context.Tokens) + token) * config.PlainSize), config.PlainSize);
    }

    /// <summary>One token: puts its queries together from their parts.</summary>
    private void Gather(StepContext context, LatentRoom room, int token)
    {
        for (var head = 0; head < heads; head++)
        {
            var target = context.Query + ((((nint)token * heads) + head) * _shape.KeySize);
            Copy(room.HeadOutputs + ((((nint)head * context.Tokens) + token) * config.KeyValueRank), target, config.KeyValueRank);
            Copy(room.Queries + ((((nint)token * heads) + head) * QuerySize) + config.PlainSize, target + config.KeyValueRank, config.RotatedSize);
        }
    }

    private static void Copy(float* from, float* to, int count) => NativeMemory.Copy(from, to, (nuint)count * sizeof(float));

    private readonly struct PlaceWork(LatentAttention attention, StepContext context, LatentRoom room) : IParallelWork
    {
        public void Execute(int part, int worker) => attention.Place(context, room, part);
    }

    private readonly struct GatherWork(LatentAttention attention, StepContext context, LatentRoom room) : IParallelWork
    {
        public void Execute(int part, int worker) => attention.Gather(context, room, part);
    }

    /// <summary>[tokens, heads, size] to [heads, tokens, size], or back.</summary>
    private readonly struct SwapWork(StepContext context, float* byToken, float* byHead, int heads, int size, bool toHeads) : IParallelWork
    {
        private readonly float* _byToken = byToken, _byHead = byHead;

        public void Execute(int part, int worker)
        {
            for (var head = 0; head < heads; head++)
            {
                var token = _byToken + ((((nint)part * heads) + head) * size);
                var other = _byHead + ((((nint)head * context.Tokens) + part) * size);
                Copy(toHeads ? token : other, toHeads ? other : token, size);
            }
        }
    }

    private readonly struct NormWork(StepContext context, Norm norm, float* x, int size, bool quantize) : IParallelWork
    {
        private readonly float* _x = x;

        public void Execute(int part, int worker)
        {
            norm.InPlace(context, _x + ((nint)part * size));
            if (quantize)
                new QuantizeWork(context, _x, size).Execute(part, worker);
        }
    }
}
