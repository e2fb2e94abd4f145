using Slm.Engine.Models;

namespace Slm.Engine.HuggingFace.Families;

/// <summary>gemma3, text alone or the text part of a model that sees. Its norms multiply by 1 + w, which GGUF files have added up.</summary>
internal static class GemmaFamily
{
    private const int LayersOf27B = 62;

    private static readonly string[] Prefixes = ["model.", "language_model.model.", "model.language_model."];

    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config.Object("text_config") ?? model.Config;
        var prefix = Prefixes.FirstOrDefault(p => model.Has(p + "embed_tokens.weight")) ?? "model.";
        config.RequireText("hidden_activation", "gelu_pytorch_tanh");
        var (layers, headSize) = DecoderParts.AddSizes(model, config);
        RequireUsual(config, layers, headSize);
        RopeMapping.Add(model, config, headSize, layers: "full_attention");
        model.Set("attention.sliding_window", config.RequiredInt("sliding_window"));
        model.Set("attn_logit_softcapping", config.Number("attn_logit_softcapping"));
        model.Set("final_logit_softcapping", config.Number("final_logit_softcapping"));
        model.Matrix("token_embd.weight", prefix + "embed_tokens.weight");
        model.Vector("output_norm.weight", prefix + "norm.weight", AddOne);
        // Published folders leave out what is their default.
        DecoderParts.AddHead(model, config.Flag("tie_word_embeddings") ?? model.Config.Flag("tie_word_embeddings") ?? true);
        model.Ignore(n => n.Contains("vision_tower.", StringComparison.Ordinal) || n.Contains("multi_modal_projector.", StringComparison.Ordinal)
            || n == "language_model.lm_head.weight");
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"{prefix}layers.{i}.");
            DecoderParts.AddAttention(model, blk, layer + "self_attn.");
            DecoderParts.AddFeedForward(model, blk, layer + "mlp.");
            foreach (var (name, from) in new[]
            {
                ("attn_norm", "input_layernorm"), ("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm"),
                ("post_attention_norm", "post_attention_layernorm"), ("ffn_norm", "pre_feedforward_layernorm"), ("post_ffw_norm", "post_feedforward_layernorm"),
            })
            {
                model.Vector($"{blk}{name}.weight", $"{layer}{from}.weight", AddOne);
            }
        }
    }

    private static float AddOne(float weight) => 1 + weight;

    /// <summary>GGUF has no keys for these; the architecture has the published models' values.</summary>
    private static void RequireUsual(FolderConfig config, int layers, int headSize)
    {
        var sliding = config.Object("rope_parameters")?.Object("sliding_attention") ?? config;
        sliding.RequireNumber(sliding == config ? "rope_local_base_freq" : "rope_theta", 10000, 10000);
        var scalar = layers == LayersOf27B ? (double)config.RequiredInt("hidden_size") / config.RequiredInt("num_attention_heads") : headSize;
        config.RequireNumber("query_pre_attn_scalar", 256, scalar);
        if (config.Texts("layer_types") is { } kinds)
        {
            var expected = Enumerable.Range(0, layers).Select(i => i % GemmaConfig.Pattern < GemmaConfig.Pattern - 1 ? "sliding_attention" : "full_attention");
            if (!kinds.SequenceEqual(expected))
                throw config.Error($"'layer_types' is not the usual: of {GemmaConfig.Pattern} layers all but the last with a window. Others are not supported.");
        }
        else
        {
            config.RequireNumber("sliding_window_pattern", GemmaConfig.Pattern, GemmaConfig.Pattern);
        }
    }
}
