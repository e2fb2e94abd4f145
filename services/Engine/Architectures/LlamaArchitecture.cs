using Slm.Engine.Blocks;
using Slm.Engine.Formats;

namespace Slm.Engine.Architectures;

/// <summary>
/// The llama family: pre-norm attention with rotary positions, then SwiGLU. llama, mistral and smollm are the plain form;
/// qwen2 adds biases to q, k and v; qwen3 norms the heads of q and k. What a file has of these decides, so the
/// members differ by their tensors and by the pairing of the rotation, which the configuration holds.
/// </summary>
internal sealed class LlamaArchitecture : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) =>
        new(weights.Table("token_embd", weights.Config.HiddenSize, weights.Config.VocabSize));

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights)
    {
        var rope = weights.Config.Rope;
        var factors = weights.OptionalVector("rope_freqs.weight", rope.Dimensions / 2);
        return new RotaryPositions(rope, factors is null ? default : factors.Memory.Span);
    }

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var blk = $"blk.{layer}.";
        if (weights.Has(blk + "ffn_gate_inp.weight"))
            throw new ModelFormatException($"Layer {layer} has a router ('{blk}ffn_gate_inp.weight'): mixture-of-experts models are not supported yet.");
        var queries = c.HeadCount * c.HeadSize;
        var keys = c.KeyValueHeadCount * c.HeadSize;
        return
        [
            new AttentionBlock(cacheLayer)
            {
                InputNorm = weights.Norm(blk + "attn_norm.weight", c.HiddenSize),
                Query = weights.Linear(blk + "attn_q", c.HiddenSize, queries),
                Key = weights.Linear(blk + "attn_k", c.HiddenSize, keys),
                Value = weights.Linear(blk + "attn_v", c.HiddenSize, keys),
                Output = weights.Linear(blk + "attn_output", queries, c.HiddenSize),
                QueryNorm = weights.OptionalNorm(blk + "attn_q_norm.weight", c.HeadSize),
                KeyNorm = weights.OptionalNorm(blk + "attn_k_norm.weight", c.HeadSize),
            },
            new SwiGluBlock
            {
                InputNorm = weights.Norm(blk + "ffn_norm.weight", c.HiddenSize),
                Gate = weights.Linear(blk + "ffn_gate", c.HiddenSize, c.FeedForwardSize),
                Up = weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize),
                Down = weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize),
            },
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights)
    {
        var c = weights.Config;
        var tied = !weights.Has("output.weight");
        return new OutputHead(
            weights.Norm("output_norm.weight", c.HiddenSize), weights.Linear(tied ? "token_embd" : "output", c.HiddenSize, c.VocabSize));
    }
}
