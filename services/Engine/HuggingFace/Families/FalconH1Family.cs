namespace Slm.Engine.HuggingFace.Families;

/// <summary>falcon-h1. Its µP multipliers become part of the weights, which are F32 then; the folder's code applies them to activations.</summary>
internal static class FalconH1Family
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "silu");
        MambaTensors.RequireFreeSteps(config);
        var (layers, headSize) = DecoderParts.AddSizes(model, config);
        RopeMapping.Add(model, config, headSize);
        var (heads, groups, state, convolution) = (
            config.RequiredInt("mamba_n_heads"), config.RequiredInt("mamba_n_groups"), config.RequiredInt("mamba_d_state"), config.RequiredInt("mamba_d_conv"));
        var inner = config.Int("mamba_d_ssm", 1) ?? (int)Math.Min(int.MaxValue, (long)config.RequiredInt("mamba_expand") * config.RequiredInt("hidden_size"));
        if (config.Flag("mamba_rms_norm") is true && config.Flag("mamba_norm_before_gate") is not false)
            throw config.Error("'mamba_norm_before_gate' is true or missing beside 'mamba_rms_norm'; only a norm after the gate is supported.");
        var group = MambaTensors.AddSizes(model, convolution, inner, state, heads, groups);
        double Factor(string name) => config.Number(name) ?? 1;
        model.Matrix("token_embd.weight", "model.embed_tokens.weight", Factor("embedding_multiplier"));
        model.Vector("output_norm.weight", "model.final_layernorm.weight");
        AddHead(model, config);
        var segments = Factors(config, "ssm_multipliers", 5);
        var feedForward = Factors(config, "mlp_multipliers", 2);
        var (attention, mamba) = (Factor("attention_in_multiplier"), Factor("ssm_in_multiplier"));
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            model.Linear(blk + "attn_q", layer + "self_attn.q_proj", attention);
            model.Linear(blk + "attn_k", layer + "self_attn.k_proj", attention * Factor("key_multiplier"));
            model.Linear(blk + "attn_v", layer + "self_attn.v_proj", attention);
            model.Linear(blk + "attn_output", layer + "self_attn.o_proj", Factor("attention_out_multiplier"));
            model.Segments(
                blk + "ssm_in.weight", layer + "mamba.in_proj.weight",
                (inner, mamba * segments[0]), (inner, mamba * segments[1]), (group, mamba * segments[2]), (group, mamba * segments[3]), (heads, mamba * segments[4]));
            MambaTensors.AddLayer(model, blk, layer + "mamba.", convolution, inner + (2 * group), heads, inner, groups);
            model.Linear(blk + "ssm_out", layer + "mamba.out_proj", Factor("ssm_out_multiplier"));
            // Published GGUF files have this one name without suffix, and others read no other.
            model.Vector(blk + "ffn_norm", layer + "pre_ff_layernorm.weight");
            model.Linear(blk + "ffn_gate", layer + "feed_forward.gate_proj", feedForward[0]);
            model.Linear(blk + "ffn_up", layer + "feed_forward.up_proj");
            model.Linear(blk + "ffn_down", layer + "feed_forward.down_proj", feedForward[1]);
        }
    }

    /// <summary>Even a head that is the embedding has a factor of its own.</summary>
    private static void AddHead(FolderModel model, FolderConfig config)
    {
        const string Head = "lm_head.weight";
        var tied = config.Flag("tie_word_embeddings") is true || !model.Has(Head);
        var (head, embedding) = (config.Number("lm_head_multiplier") ?? 1, config.Number("embedding_multiplier") ?? 1);
        if (tied)
            model.Ignore(n => n == Head);
        if (!tied || head != embedding)
            model.Matrix("output.weight", tied ? "model.embed_tokens.weight" : Head, head);
    }

    private static double[] Factors(FolderConfig config, string name, int count)
    {
        var factors = config.Numbers(name) ?? [.. Enumerable.Repeat(1.0, count)];
        return factors.Length == count ? factors : throw config.Error($"'{name}' has {factors.Length} numbers; {count} are expected.");
    }
}
