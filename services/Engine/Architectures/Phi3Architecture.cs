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
    public RotaryPositions Positions(ModelWeights weights) => LayerParts.LongPositions(weights) ?? llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer) =>
        [LayerParts.AttentionBlock(weights, layer, cacheLayer, weights.Config.Window), LayerParts.FeedForward(weights, layer)];

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
