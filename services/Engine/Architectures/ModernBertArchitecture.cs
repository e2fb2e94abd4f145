using Slm.Engine.Blocks;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Architectures;

/// <summary>
/// modern-bert (Warner et al. 2024): an encoder with LayerNorms before its sublayers, rotated halves, and gates with the exact
/// GELU; every third layer sees all of the text, the others a window on both sides with a rotation of their own.
/// </summary>
internal sealed class ModernBertArchitecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights)
    {
        var c = weights.Config;
        return new Embedding(weights.Table("token_embd", c.HiddenSize, c.VocabSize)) { Norm = weights.LayerNorm("token_embd_norm", c.HiddenSize) };
    }

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => weights.Config.WindowRope is { } window
        ? new(weights.Config.Rope, default) { Window = new RotaryPositions(window, default) }
        : llama.Positions(weights);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        var local = c.Window > 0 && layer % BertConfig.Pattern != 0;
        return
        [
            // The first layer reads the embedding's norm.
            new MixerBlock(
                weights.Has(blk + "attn_norm.weight") ? weights.LayerNorm(blk + "attn_norm", c.HiddenSize) : null,
                LayerParts.Attention(weights, layer, cacheLayer, local ? c.Window : 0, local ? Rotation.Window : Rotation.Usual, Sight.Text)),
            new FeedForwardBlock
            {
                InputNorm = weights.LayerNorm(blk + "ffn_norm", c.HiddenSize),
                Products = LayerParts.Gated(weights, layer, GateFunction.GeluExact),
                Down = new Residual(weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize)),
            },
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => new(weights.LayerNorm("output_norm", weights.Config.HiddenSize));
}
