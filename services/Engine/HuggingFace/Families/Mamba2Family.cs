namespace Slm.Engine.HuggingFace.Families;

/// <summary>mamba2, as transformers writes it.</summary>
internal static class Mamba2Family
{
    private const int ContextLength = 1 << 20;

    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "silu");
        MambaTensors.RequireFreeSteps(config);
        var layers = config.RequiredInt("num_hidden_layers");
        var (heads, groups, state, convolution) = (config.RequiredInt("num_heads"), config.RequiredInt("n_groups"), config.RequiredInt("state_size"), config.RequiredInt("conv_kernel"));
        var inner = (int)Math.Min(int.MaxValue, (long)heads * config.RequiredInt("head_dim"));
        model.Set("block_count", layers);
        model.Set("embedding_length", config.RequiredInt("hidden_size"));
        model.Set("feed_forward_length", 0);
        model.Set("attention.head_count", 0);
        // The state has no end; files say this much.
        model.Set("context_length", ContextLength);
        model.Set("attention.layer_norm_rms_epsilon", config.Number("layer_norm_epsilon") ?? 1e-5);
        var group = MambaTensors.AddSizes(model, convolution, inner, state, heads, groups);
        model.Matrix("token_embd.weight", "backbone.embeddings.weight");
        model.Vector("output_norm.weight", "backbone.norm_f.weight");
        DecoderParts.AddHead(model, config.Flag("tie_word_embeddings") ?? false);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"backbone.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "norm.weight");
            model.Linear(blk + "ssm_in", layer + "mixer.in_proj");
            MambaTensors.AddLayer(model, blk, layer + "mixer.", convolution, inner + (2 * group), heads, inner, groups);
            model.Linear(blk + "ssm_out", layer + "mixer.out_proj");
        }
    }
}
