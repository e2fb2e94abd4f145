using Slm.Engine.Blocks;
using Slm.Engine.Experts;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>The usual blocks of a layer by their usual tensors; what a file has of optional tensors decides.</summary>
internal static class LayerParts
{
    /// <summary>
    /// Positions by LongRoPE (Ding et al. 2024): one set of divisors for contexts as trained and one for longer ones. The model's
    /// context decides, not the sequence's: else tokens that are cached already would have to be rotated again. Null without divisors.
    /// </summary>
    public static RotaryPositions? LongPositions(ModelWeights weights)
    {
        var rope = weights.Config.Rope;
        var name = weights.Config.ContextLength > rope.OriginalContextLength ? "rope_factors_long.weight" : "rope_factors_short.weight";
        return weights.OptionalVector(name, rope.Dimensions / 2) is { } factors ? new RotaryPositions(rope, factors.Memory.Span) : null;
    }

    /// <summary>The norm before what mixes positions, <c>attn_norm</c>.</summary>
    public static Norm MixerNorm(ModelWeights weights, int layer) => weights.Norm($"blk.{layer}.attn_norm.weight", weights.Config.HiddenSize);

    /// <summary>A layer's attention behind its norm; see <see cref="Attention"/>.</summary>
    public static MixerBlock AttentionBlock(ModelWeights weights, int layer, int cacheLayer, int window = 0, Rotation rotation = Rotation.Usual) =>
        new(MixerNorm(weights, layer), Attention(weights, layer, cacheLayer, window, rotation));

    /// <summary>Attention with <c>attn_*</c>, and a norm after it with <c>post_attention_norm</c>.</summary>
    public static Attention Attention(
        ModelWeights weights, int layer, int cacheLayer, int window = 0, Rotation rotation = Rotation.Usual, Sight sight = Sight.Causal, IPositionBias? bias = null)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        var queries = c.HeadCount * c.HeadSize;
        var keys = c.KeyValueHeadCount * c.HeadSize;
        var fused = weights.Has(blk + "attn_qkv.weight");
        Linear Part(string name, int first, int rows) => fused
            ? weights.Rows(blk + "attn_qkv", c.HiddenSize, queries + (2 * keys), first, rows)
            : weights.Linear(blk + name, c.HiddenSize, rows);
        return new Attention(cacheLayer, c.StateOf(layer).Attention!)
        {
            Scale = c.AttentionScale > 0 ? c.AttentionScale : 1 / MathF.Sqrt(c.HeadSize),
            Query = Part("attn_q", 0, queries),
            Key = Part("attn_k", queries, keys),
            Value = Part("attn_v", queries + keys, keys),
            Output = new Residual(
                weights.Linear(blk + "attn_output", queries, c.HiddenSize), weights.OptionalNorm(blk + "post_attention_norm.weight", c.HiddenSize), c.ResidualScale),
            QueryNorm = weights.OptionalNorm(blk + "attn_q_norm.weight", c.HeadSize),
            KeyNorm = weights.OptionalNorm(blk + "attn_k_norm.weight", c.HeadSize),
            Window = window,
            Rotation = rotation,
            Sight = sight,
            Bias = bias,
        };
    }

    /// <summary>Gated feed-forward with <c>ffn_*</c>, and a norm after it with <c>post_ffw_norm</c>; see <see cref="Gated"/>.</summary>
    public static FeedForwardBlock FeedForward(ModelWeights weights, int layer, GateFunction function = GateFunction.Silu, string norm = "ffn_norm.weight")
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        return new FeedForwardBlock
        {
            InputNorm = weights.Norm(blk + norm, c.HiddenSize),
            Products = Gated(weights, layer, function),
            Down = new Residual(
                weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize), weights.OptionalNorm(blk + "post_ffw_norm.weight", c.HiddenSize), c.ResidualScale),
        };
    }

    /// <summary><c>ffn_gate</c> and <c>ffn_up</c>; without the first, <c>ffn_up</c> holds its rows, then its own.</summary>
    public static GatedProducts Gated(ModelWeights weights, int layer, GateFunction function)
    {
        var c = weights.Config;
        var (gate, up) = ($"blk.{layer}.ffn_gate", $"blk.{layer}.ffn_up");
        return weights.Has(gate + ".weight")
            ? new GatedProducts(weights.Linear(gate, c.HiddenSize, c.FeedForwardSize), weights.Linear(up, c.HiddenSize, c.FeedForwardSize), function)
            : new GatedProducts(
                weights.Rows(up, c.HiddenSize, 2 * c.FeedForwardSize, 0, c.FeedForwardSize),
                weights.Rows(up, c.HiddenSize, 2 * c.FeedForwardSize, c.FeedForwardSize, c.FeedForwardSize),
                function);
    }

    /// <summary>Whether a layer has routed experts.</summary>
    public static bool HasRouter(ModelWeights weights, int layer) => weights.Has($"blk.{layer}.ffn_gate_inp.weight");

    /// <summary>The router <c>ffn_gate_inp</c>.</summary>
    public static Router Router(ModelWeights weights, int layer) =>
        new(weights.Linear($"blk.{layer}.ffn_gate_inp", weights.Config.HiddenSize, weights.Config.Experts!.Count));

    /// <summary>Mixture of experts with <c>ffn_*_exps</c> and, of a shared one, <c>ffn_*_shexp</c>.</summary>
    /// <param name="weights">Tensors.</param>
    /// <param name="layer">Index in the model.</param>
    /// <param name="router">Null if the layer has an <see cref="EarlyRouterBlock"/>.</param>
    /// <param name="function">Function on the gate.</param>
    public static ExpertsBlock Experts(ModelWeights weights, int layer, Router? router, GateFunction function)
    {
        var c = weights.Config;
        var e = c.Experts!;
        var blk = $"blk.{layer}.";
        return new ExpertsBlock
        {
            InputNorm = weights.Norm(blk + "ffn_norm.weight", c.HiddenSize),
            Router = router,
            Experts = RoutedExperts(weights, layer, function),
            Rounded = weights.RoundedExperts,
            Visits = new VisitCounts(layer, e.Count, weights.HeldExperts),
            Shared = e.SharedFeedForwardSize == 0 ? null : new SharedExpert
            {
                Products = new GatedProducts(
                    weights.Linear(blk + "ffn_gate_shexp", c.HiddenSize, e.SharedFeedForwardSize), weights.Linear(blk + "ffn_up_shexp", c.HiddenSize, e.SharedFeedForwardSize), GateFunction.Silu),
                Down = weights.Linear(blk + "ffn_down_shexp", e.SharedFeedForwardSize, c.HiddenSize),
                Weight = weights.Linear(blk + "ffn_gate_inp_shexp", c.HiddenSize, 1),
            },
        };
    }

    /// <summary>The routed experts <c>ffn_*_exps</c> alone, as far as they are held here.</summary>
    public static IExperts RoutedExperts(ModelWeights weights, int layer, GateFunction function)
    {
        var (hidden, e, blk) = (weights.Config.HiddenSize, weights.Config.Experts!, $"blk.{layer}.");
        if (weights.ExpertCache is { } cache)
        {
            return new CachedExperts(
                cache,
                weights.StoredExperts(blk + "ffn_gate_exps", hidden, e.FeedForwardSize, e.Count),
                weights.StoredExperts(blk + "ffn_up_exps", hidden, e.FeedForwardSize, e.Count),
                weights.StoredExperts(blk + "ffn_down_exps", e.FeedForwardSize, hidden, e.Count),
                function);
        }

        var held = weights.HeldExperts.Experts;
        var resident = held.Count == 0 ? null : new ResidentExperts(
            held,
            weights.Experts(blk, "gate", hidden, e.FeedForwardSize),
            weights.Experts(blk, "up", hidden, e.FeedForwardSize),
            weights.Experts(blk, "down", e.FeedForwardSize, hidden),
            function);
        return weights.FanOut is { } others ? new SplitExperts(layer, others, resident) : resident!;
    }
}
