using Slm.Engine.Blocks;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Architectures;

/// <summary>gemma3: norms before and after attention and GeGLU; five layers with a window and a rotation of their own, then one that sees all.</summary>
internal sealed class GemmaArchitecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) =>
        new(weights.Config.Rope, default) { Window = new RotaryPositions(weights.Config.WindowRope!, default) };

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var local = layer % GemmaConfig.Pattern < GemmaConfig.Pattern - 1;
        return
        [
            LayerParts.AttentionBlock(weights, layer, cacheLayer, local ? weights.Config.Window : 0, local ? Rotation.Window : Rotation.Usual),
            LayerParts.FeedForward(weights, layer, GateFunction.Gelu),
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => llama.Head(weights);
}
