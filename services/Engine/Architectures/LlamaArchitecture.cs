using Slm.Engine.Blocks;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>
/// The llama family: pre-norm attention with rotary positions, then SwiGLU. llama, mistral and smollm are the plain form;
/// qwen2 adds biases to q, k and v; qwen3 norms the heads of q and k; Mixtral, qwen2moe and qwen3moe have experts; minicpm scales. What a file has of these decides, so the
/// members differ by their tensors and by the pairing of the rotation, which the configuration holds.
/// </summary>
internal sealed class LlamaArchitecture : IArchitecture
{
    /// <inheritdoc/>
    public GateFunction ExpertGate => GateFunction.Silu;

    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) =>
        new(weights.Table("token_embd", weights.Config.HiddenSize, weights.Config.VocabSize), weights.Config.EmbeddingScale);

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
        var routed = LayerParts.HasRouter(weights, layer);
        if (routed && weights.Config.Experts is null)
            throw new ModelFormatException($"Layer {layer} has a router ('blk.{layer}.ffn_gate_inp.weight'), but '{weights.Config.Architecture}.expert_count' is missing or 0.");
        return
        [
            LayerParts.AttentionBlock(weights, layer, cacheLayer, weights.Config.Window),
            routed ? LayerParts.Experts(weights, layer, LayerParts.Router(weights, layer), ExpertGate) : LayerParts.FeedForward(weights, layer),
        ];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights)
    {
        var c = weights.Config;
        var tied = !weights.Has("output.weight");
        return new OutputHead(
            weights.Norm("output_norm.weight", c.HiddenSize), weights.Linear(tied ? "token_embd" : "output", c.HiddenSize, c.VocabSize), c.LogitScale);
    }
}
