using Slm.Engine.Blocks;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Architectures;

/// <summary>
/// SmallThinker (Song et al. 2025): the router reads the residual stream before attention; ReGLU experts. Files with a
/// window alternate one layer without positions that sees everything and three with rotation and window.
/// </summary>
internal sealed class SmallThinkerArchitecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public GateFunction ExpertGate => GateFunction.Relu;

    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var full = c.Window == 0 || layer % SmallThinkerConfig.Pattern == 0;
        // The peers rotate all layers of a model with as many layers as the pattern; its files rely on that.
        var rotated = c.Window == 0 || !full || c.LayerCount == SmallThinkerConfig.Pattern;
        var experts = LayerParts.Experts(weights, layer, router: null, ExpertGate);
        return
        [
            new EarlyRouterBlock(LayerParts.Router(weights, layer), experts.Experts, c.HiddenSize),
            LayerParts.AttentionBlock(weights, layer, cacheLayer, full ? 0 : c.Window, rotated ? Rotation.Usual : Rotation.None),
            experts,
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
