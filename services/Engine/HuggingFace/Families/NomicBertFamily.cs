namespace Slm.Engine.HuggingFace.Families;

/// <summary>nomic_bert: encoders with rotary positions and gates.</summary>
internal static class NomicBertFamily
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("activation_function", "swiglu");
        config.RequireNumber("rotary_emb_fraction", 0, 1);
        config.RequireNumber("moe_every_n_layers", 0, 0);
        foreach (var flag in new[] { "prenorm", "rotary_emb_interleaved", "parallel_block", "causal", "use_rms_norm" })
        {
            if (config.Flag(flag) is true)
                throw config.Error($"'{flag}' is true; only false is supported for this kind of model.");
        }

        var layers = config.RequiredInt("n_layer");
        model.Set("block_count", layers);
        model.Set("embedding_length", config.RequiredInt("n_embd"));
        model.Set("feed_forward_length", config.RequiredInt("n_inner"));
        model.Set("attention.head_count", config.RequiredInt("n_head"));
        model.Set("attention.causal", false);
        // Beyond the positions it was trained on, the model's own code would stretch them.
        model.Set("context_length", config.Int("max_trained_positions", 1) ?? config.RequiredInt("n_positions"));
        model.Set("attention.layer_norm_epsilon", config.Number("layer_norm_epsilon") ?? 1e-12);
        model.Set("rope.freq_base", config.Number("rotary_emb_base") ?? 10000);
        model.Matrix("token_embd.weight", "embeddings.word_embeddings.weight");
        if (model.Has("embeddings.token_type_embeddings.weight"))
            model.Matrix("token_types.weight", "embeddings.token_type_embeddings.weight");
        model.Norm("token_embd_norm", "emb_ln");
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"encoder.layers.{i}.");
            model.Linear(blk + "attn_qkv", layer + "attn.Wqkv");
            model.Linear(blk + "attn_output", layer + "attn.out_proj");
            model.Norm(blk + "attn_output_norm", layer + "norm1");
            model.Linear(blk + "ffn_up", layer + "mlp.fc11");
            model.Linear(blk + "ffn_gate", layer + "mlp.fc12");
            model.Linear(blk + "ffn_down", layer + "mlp.fc2");
            model.Norm(blk + "layer_output_norm", layer + "norm2");
        }
    }
}
