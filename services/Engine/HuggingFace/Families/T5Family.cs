namespace Slm.Engine.HuggingFace.Families;

/// <summary>t5, flan-t5 and mt5: encoder and decoder.</summary>
internal static class T5Family
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("feed_forward_proj", "relu", "gated-gelu");
        config.RequireNumber("relative_attention_max_distance", 128, 128);
        var layers = config.RequiredInt("num_layers");
        var heads = config.RequiredInt("num_heads");
        var size = config.RequiredInt("d_kv");
        model.Set("block_count", layers);
        model.Set("decoder_block_count", config.Int("num_decoder_layers", 1) ?? layers);
        model.Set("embedding_length", config.RequiredInt("d_model"));
        model.Set("feed_forward_length", config.RequiredInt("d_ff"));
        model.Set("attention.head_count", heads);
        model.Set("attention.key_length", size);
        model.Set("attention.value_length", size);
        model.Set("attention.relative_buckets_count", config.RequiredInt("relative_attention_num_buckets"));
        // Positions have no end; files say this much where the folder says nothing.
        model.Set("context_length", config.Int("n_positions", 1) ?? 512);
        model.Set("attention.layer_norm_rms_epsilon", config.Number("layer_norm_epsilon") ?? 1e-6);
        model.Set("decoder_start_token_id", config.Int("decoder_start_token_id") ?? 0);
        model.Matrix("token_embd.weight", "shared.weight");
        DecoderParts.AddHead(model, config.Flag("tie_word_embeddings") ?? true);
        AddStack(model, "enc", "encoder", layers);
        AddStack(model, "dec", "decoder", config.Int("num_decoder_layers", 1) ?? layers);

        // Copies of the embedding, and a table of early checkpoints that nothing reads.
        model.Ignore(n => n is "encoder.embed_tokens.weight" or "decoder.embed_tokens.weight" or "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
    }

    private static void AddStack(FolderModel model, string name, string from, int layers)
    {
        var decodes = name == "dec";
        model.Vector(name + ".output_norm.weight", from + ".final_layer_norm.weight");
        model.Vector(name + ".blk.0.attn_rel_b.weight", from + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"{name}.blk.{i}.", $"{from}.block.{i}.layer.");
            model.Vector(blk + "attn_norm.weight", layer + "0.layer_norm.weight");
            foreach (var part in "qkvo")
                model.Matrix($"{blk}attn_{part}.weight", $"{layer}0.SelfAttention.{part}.weight");
            if (decodes)
            {
                model.Vector(blk + "cross_attn_norm.weight", layer + "1.layer_norm.weight");
                foreach (var part in "qkvo")
                    model.Matrix($"{blk}cross_attn_{part}.weight", $"{layer}1.EncDecAttention.{part}.weight");
            }

            var last = layer + (decodes ? "2." : "1.");
            model.Vector(blk + "ffn_norm.weight", last + "layer_norm.weight");
            if (model.Has(last + "DenseReluDense.wi_0.weight"))
            {
                model.Matrix(blk + "ffn_gate.weight", last + "DenseReluDense.wi_0.weight");
                model.Matrix(blk + "ffn_up.weight", last + "DenseReluDense.wi_1.weight");
            }
            else
            {
                model.Matrix(blk + "ffn_up.weight", last + "DenseReluDense.wi.weight");
            }

            model.Matrix(blk + "ffn_down.weight", last + "DenseReluDense.wo.weight");
        }
    }
}
