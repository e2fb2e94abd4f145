using Slm.Engine.Blocks;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>
/// Encoders after BERT (Devlin et al. 2019): positions see all of their text, LayerNorm after each sublayer. bert adds learned
/// rows of positions and has a feed-forward with the exact GELU, as its published models were trained (an engine that takes
/// the tanh form instead differs by up to 1e-3 there); nomic-bert (Nussbaum et al. 2024) rotates halves and gates with SiLU;
/// jina-bert-v2 (Günther et al. 2023) lets scores fall with distance and gates with the exact GELU.
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
            Positions = c.Architecture == "bert" ? weights.Table("position_embd", c.HiddenSize, c.ContextLength) : null,
        };
    }

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => IsRotary(weights) ? llama.Positions(weights) : new(weights.Config.Rope, default);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        foreach (var other in new[] { "attn_q_norm", "attn_k_norm", "attn_norm_2" })
        {
            if (weights.Has($"{blk}{other}.weight"))
                throw new ModelFormatException($"The tensor '{blk}{other}.weight' is not supported for the architecture '{c.Architecture}'.");
        }

        var rotation = IsRotary(weights) ? Rotation.Usual : Rotation.None;
        var bias = c.Architecture == "jina-bert-v2" ? new SlopeBias(c.HeadCount) : null;
        return
        [
            new MixerBlock(null, LayerParts.Attention(weights, layer, cacheLayer, rotation: rotation, sight: Sight.Text, bias: bias)),
            new NormBlock(weights.LayerNorm(blk + "attn_output_norm", c.HiddenSize)),
            new FeedForwardBlock
            {
                InputNorm = null,
                Products = c.Architecture switch
                {
                    "bert" => new PlainProduct(weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize), GateFunction.GeluExact),
                    "jina-bert-v2" => LayerParts.Gated(weights, layer, GateFunction.GeluExact),
                    _ => LayerParts.Gated(weights, layer, GateFunction.Silu),
                },
                Down = new Residual(weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize)),
            },
            new NormBlock(weights.LayerNorm(blk + "layer_output_norm", c.HiddenSize)),
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights) => new(weights.Config.HiddenSize);

    private static bool IsRotary(ModelWeights weights) => weights.Config.Rope.Dimensions > 0;
}
