using Slm.Engine.Blocks;

namespace Slm.Engine.Architectures;

/// <summary>falcon-h1: attention and Mamba-2 side by side on the same norm, then SwiGLU.</summary>
internal sealed class FalconH1Architecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer) =>
    [
        new MixerBlock(
            LayerParts.MixerNorm(weights, layer),
            LayerParts.Attention(weights, layer, cacheLayer),
            MambaParts.Mixer(weights, layer, cacheLayer, required: false)),
        // Published files have this one name without its suffix.
        LayerParts.FeedForward(weights, layer, norm: weights.Has($"blk.{layer}.ffn_norm.weight") ? "ffn_norm.weight" : "ffn_norm"),
    ];

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
