using Slm.Engine.Blocks;

namespace Slm.Engine.Architectures;

/// <summary>mamba2: layers of Mamba-2 and nothing else.</summary>
internal sealed class Mamba2Architecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => new(weights.Config.Rope, default);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer) =>
        [new MixerBlock(LayerParts.MixerNorm(weights, layer), MambaParts.Mixer(weights, layer, cacheLayer, required: true))];

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
