using Slm.Engine.Blocks;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>
/// T5 (Raffel et al. 2020): an encoder whose positions see all of the input, and a decoder that also attends to the encoder's
/// output. RMS norms before each sublayer, biases by relative position that the layers of a stack share, unscaled scores; the
/// feed-forward is max(W·x, 0), or of version 1.1 gated with GELU, as the file has it.
/// </summary>
internal sealed class T5Architecture(LlamaArchitecture llama) : IArchitecture
{
    /// <inheritdoc/>
    public Embedding Embedding(ModelWeights weights) => llama.Embedding(weights);

    /// <inheritdoc/>
    public RotaryPositions Positions(ModelWeights weights) => new(weights.Config.Rope, default);

    /// <inheritdoc/>
    public IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var encoders = c.Encoder!.Layers;
        if (layer >= encoders)
            return DecoderLayer(weights, layer - encoders, cacheLayer);
        var blk = $"enc.blk.{layer}.";
        var blocks = new List<IBlock>
        {
            new MixerBlock(weights.Norm(blk + "attn_norm.weight", c.HiddenSize), SelfAttention(weights, "enc", blk, cacheLayer)),
            FeedForward(weights, blk),
        };
        if (layer == encoders - 1)
            blocks.Add(new NormBlock(weights.Norm("enc.output_norm.weight", c.HiddenSize)));
        return [new PhaseBlock(encodes: true, [.. blocks])];
    }

    /// <inheritdoc/>
    public OutputHead Head(ModelWeights weights)
    {
        var c = weights.Config;
        var projection = weights.Linear(weights.Has("output.weight") ? "output" : "token_embd", c.HiddenSize, c.VocabSize);
        return new OutputHead(weights.Norm("dec.output_norm.weight", c.HiddenSize), projection, c.LogitScale);
    }

    private static IBlock[] DecoderLayer(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var shape = c.StateOf(0).Attention!;
        var blk = $"dec.blk.{layer}.";
        var cross = blk + "cross_attn_";
        return
        [
            new PhaseBlock(encodes: true, new CrossMemory(cacheLayer, shape)
            {
                Key = weights.Linear(cross + "k", c.HiddenSize, shape.Heads * shape.KeySize),
                Value = weights.Linear(cross + "v", c.HiddenSize, shape.Heads * shape.ValueSize),
            }),
            new PhaseBlock(
                encodes: false,
                new MixerBlock(weights.Norm(blk + "attn_norm.weight", c.HiddenSize), SelfAttention(weights, "dec", blk, cacheLayer)),
                new MixerBlock(weights.Norm(cross + "norm.weight", c.HiddenSize), new CrossAttention(cacheLayer, shape, c.AttentionScale)
                {
                    Query = weights.Linear(cross + "q", c.HiddenSize, shape.Heads * shape.KeySize),
                    Output = new Residual(weights.Linear(cross + "o", shape.Heads * shape.ValueSize, c.HiddenSize)),
                }),
                FeedForward(weights, blk)),
        ];
    }

    private static Attention SelfAttention(ModelWeights weights, string stack, string blk, int cacheLayer)
    {
        var c = weights.Config;
        var shape = c.StateOf(0).Attention!;
        var encodes = stack == "enc";

        // Only the first layer of a stack has the biases; some converters write copies of them for the others.
        var own = blk + "attn_rel_b.weight";
        var biases = weights.Shaped(weights.Has(own) ? own : stack + ".blk.0.attn_rel_b.weight", shape.Heads, c.Buckets!.Count);
        return new Attention(cacheLayer, shape)
        {
            Query = weights.Linear(blk + "attn_q", c.HiddenSize, shape.Heads * shape.KeySize),
            Key = weights.Linear(blk + "attn_k", c.HiddenSize, shape.Heads * shape.KeySize),
            Value = weights.Linear(blk + "attn_v", c.HiddenSize, shape.Heads * shape.ValueSize),
            Output = new Residual(weights.Linear(blk + "attn_o", shape.Heads * shape.ValueSize, c.HiddenSize)),
            Scale = c.AttentionScale,
            Rotation = Rotation.None,
            Sight = encodes ? Sight.Text : Sight.Causal,
            Bias = new BucketBias(c.Buckets, shape.Heads, bothSides: encodes, biases),
        };
    }

    private static FeedForwardBlock FeedForward(ModelWeights weights, string blk)
    {
        var c = weights.Config;
        var up = weights.Linear(blk + "ffn_up", c.HiddenSize, c.FeedForwardSize);
        return new FeedForwardBlock
        {
            InputNorm = weights.Norm(blk + "ffn_norm.weight", c.HiddenSize),
            Products = weights.Has(blk + "ffn_gate.weight")
                ? new GatedProducts(weights.Linear(blk + "ffn_gate", c.HiddenSize, c.FeedForwardSize), up, GateFunction.Gelu)
                : new PlainProduct(up, GateFunction.Relu),
            Down = new Residual(weights.Linear(blk + "ffn_down", c.FeedForwardSize, c.HiddenSize)),
        };
    }
}
