using Slm.Engine.Blocks;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>PLM (Deng et al. 2025): latent attention, and a feed-forward with squared ReLU that has no gate.</summary>
internal sealed class PlmArchitecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        return
        [
            new MixerBlock(LayerParts.MixerNorm(weights, layer), LatentParts.Attention(weights, layer, cacheLayer)),
            new FeedForwardBlock
            {
                InputNorm = weights.Norm(blk + "ffn_norm.weight", c.HiddenSize),
                Products = new PlainProduct(weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize), GateFunction.ReluSquared),
                Down = new Residual(weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize)),
            },
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
