using Slm.Engine.Blocks;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>
/// Encoders after BERT (Devlin et al. 2019): positions see all of their text, LayerNorm after each sublayer. bert adds learned
/// rows of positions and has a feed-forward with the exact GELU, as its published models were trained (an engine that takes
/// the tanh form instead differs by up to 1e-3 there); nomic-bert (Nussbaum et al. 2024) rotates halves and gates with SiLU.
/// </summary>
internal sealed class BertArchitecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights)
    {
        var c = weights.Config;
        return new Embedding(weights.Table("token_embd", c.HiddenSize, c.VocabSize))
        {
            Norm = weights.LayerNorm("token_embd_norm", c.HiddenSize),
            // The first kind of text: there is one text only.
            Common = weights.Has("token_types.weight") ? weights.FirstRow("token_types.weight", c.HiddenSize) : null,
            Positions = IsRotary(weights) ? null : weights.Table("position_embd", c.HiddenSize, c.ContextLength),
        };
    }

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => IsRotary(weights) ? llama.Positions(weights) : new(weights.Config.Rope, default);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        var rotary = IsRotary(weights);
        return
        [
            new MixerBlock(null, LayerParts.Attention(weights, layer, cacheLayer, rotation: rotary ? Rotation.Usual : Rotation.None, sight: Sight.Text)),
            new NormBlock(weights.LayerNorm(blk + "attn_output_norm", c.HiddenSize)),
            new FeedForwardBlock
            {
                InputNorm = null,
                Products = rotary
                    ? new GatedProducts(
                        weights.Linear(blk + "ffn_gate", c.HiddenSize, c.FeedForwardSize), weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize), GateFunction.Silu)
                    : new PlainProduct(weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize), GateFunction.GeluExact),
                Down = new Residual(weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize)),
            },
            new NormBlock(weights.LayerNorm(blk + "layer_output_norm", c.HiddenSize)),
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => new(weights.Config.HiddenSize);

    private static bool IsRotary(ModelWeights weights) => weights.Config.Rope.Dimensions > 0;
}
