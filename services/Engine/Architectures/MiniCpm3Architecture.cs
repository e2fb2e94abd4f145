using Slm.Engine.Blocks;

namespace Slm.Engine.Architectures;

/// <summary>minicpm3: latent attention whose queries are latent too, and SwiGLU; positions may be scaled by LongRoPE.</summary>
internal sealed class MiniCpm3Architecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => LayerParts.LongPositions(weights) ?? llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer) =>
    [
        new MixerBlock(LayerParts.MixerNorm(weights, layer), LatentParts.Attention(weights, layer, cacheLayer)),
        LayerParts.FeedForward(weights, layer),
    ];

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
