namespace Slm.Engine.HuggingFace.Families;

/// <summary>modernbert: encoders with windows.</summary>
internal static class ModernBertFamily
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_activation", "gelu");
        config.RequireNumber("global_attn_every_n_layers", 3, 3);
        var layers = config.RequiredInt("num_hidden_layers");
        model.Set("block_count", layers);
        model.Set("embedding_length", config.RequiredInt("hidden_size"));
        model.Set("feed_forward_length", config.RequiredInt("intermediate_size"));
        model.Set("attention.head_count", config.RequiredInt("num_attention_heads"));
        model.Set("attention.causal", false);
        model.Set("attention.sliding_window", config.Int("local_attention") ?? 128);
        model.Set("context_length", config.RequiredInt("max_position_embeddings"));
        model.Set("attention.layer_norm_epsilon", config.Number("norm_eps") ?? 1e-5);

        // Later configurations have one object for both kinds of layers.
        var ropes = config.Object("rope_parameters");
        model.Set("rope.freq_base", ropes?.Object("full_attention")?.Number("rope_theta") ?? config.Number("global_rope_theta") ?? 160000);
        model.Set("rope.freq_base_swa", ropes?.Object("sliding_attention")?.Number("rope_theta") ?? config.Number("local_rope_theta") ?? 10000);

        var prefix = model.Has("model.embeddings.tok_embeddings.weight") ? "model." : "";
        model.Matrix("token_embd.weight", prefix + "embeddings.tok_embeddings.weight");
        model.Norm("token_embd_norm", prefix + "embeddings.norm");
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"{prefix}layers.{i}.");
            // The first layer reads the embedding's norm.
            if (i > 0)
                model.Norm(blk + "attn_norm", layer + "attn_norm");
            model.Linear(blk + "attn_qkv", layer + "attn.Wqkv");
            model.Linear(blk + "attn_output", layer + "attn.Wo");
            model.Norm(blk + "ffn_norm", layer + "mlp_norm");
            model.Linear(blk + "ffn_up", layer + "mlp.Wi");
            model.Linear(blk + "ffn_down", layer + "mlp.Wo");
        }

        model.Norm("output_norm", prefix + "final_norm");

        // Heads for other tasks than embedding.
        model.Ignore(n => n.StartsWith("head.", StringComparison.Ordinal) || n.StartsWith("decoder.", StringComparison.Ordinal) || n.StartsWith("classifier.", StringComparison.Ordinal));
    }
}
