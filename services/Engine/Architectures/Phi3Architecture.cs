using Slm.Engine.Blocks;

namespace Slm.Engine.Architectures;

/// <summary>
/// phi3: llama's layers with q, k and v in one tensor, gate and up in another, and a window in all layers if there is one;
/// positions may be scaled by LongRoPE.
/// </summary>
internal sealed class Phi3Architecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights)
    {
        // LongRoPE (Ding et al. 2024): one set of divisors for contexts as trained and one for longer ones. The model's context
        // decides, not the sequence's: else tokens that are cached already would have to be rotated again.
        var rope = weights.Config.Rope;
        var name = weights.Config.ContextLength > rope.OriginalContextLength ? "rope_factors_long.weight" : "rope_factors_short.weight";
        var factors = weights.OptionalVector(name, rope.Dimensions / 2);
        return factors is null ? llama.Positions(weights) : new RotaryPositions(rope, factors.Memory.Span);
    }

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer) =>
        [LayerParts.Attention(weights, layer, cacheLayer, weights.Config.Window), LayerParts.FeedForward(weights, layer)];

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
