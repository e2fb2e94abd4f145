using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Stages;

/// <summary>A BERT of random numbers with a tokenizer of a few words.</summary>
internal static class RandomBert
{
    public const int Hidden = 32;

    public const int Context = 600;

    private static readonly string[] Words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁the", "▁cat", "▁sat", "s", "▁on", "▁mat", "▁."];

    /// <param name="pooling">Value of <c>pooling_type</c>.</param>
    public static TemporaryFile Write(uint pooling)
    {
        var model = new RandomModel(seed: 4);
        model.Set("general.architecture", "bert");
        foreach (var (key, value) in new (string, object)[]
        {
            ("context_length", (uint)Context), ("embedding_length", (uint)Hidden), ("feed_forward_length", 64u), ("block_count", 2u), ("attention.head_count", 4u),
            ("attention.layer_norm_epsilon", 1e-12f), ("attention.causal", false), ("pooling_type", pooling),
        })
            model.Set($"bert.{key}", value);
        foreach (var (key, value) in new (string, object)[]
        {
            ("model", "bert"), ("tokens", Words), ("token_type", Words.Select(w => w[0] == '[' ? 3 : 1).ToArray()), ("bos_token_id", 2u),
            ("eos_token_id", 3u), ("unknown_token_id", 1u), ("seperator_token_id", 3u), ("padding_token_id", 0u), ("cls_token_id", 2u),
        })
            model.Set($"tokenizer.ggml.{key}", value);
        model.Matrix("token_embd.weight", Hidden, Words.Length, 5);
        model.Matrix("token_types.weight", Hidden, 2, 5);
        model.Matrix("position_embd.weight", Hidden, Context, 5);
        model.Norm("token_embd_norm", Hidden, bias: true);
        for (var layer = 0; layer < 2; layer++)
        {
            var blk = $"blk.{layer}.";
            foreach (var part in new[] { "attn_q", "attn_k", "attn_v", "attn_output" })
                model.Matrix($"{blk}{part}.weight", Hidden, Hidden, 1.5);
            model.Matrix(blk + "ffn_up.weight", Hidden, 64);
            model.Matrix(blk + "ffn_down.weight", 64, Hidden);
            model.Norm(blk + "attn_output_norm", Hidden, bias: true);
            model.Norm(blk + "layer_output_norm", Hidden, bias: true);
        }

        return model.Write();
    }
}
