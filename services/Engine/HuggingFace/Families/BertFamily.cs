namespace Slm.Engine.HuggingFace.Families;

/// <summary>bert: encoders for embeddings.</summary>
internal static class BertFamily
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "gelu");
        config.RequireText("position_embedding_type", "absolute");
        var layers = config.RequiredInt("num_hidden_layers");
        model.Set("block_count", layers);
        model.Set("embedding_length", config.RequiredInt("hidden_size"));
        model.Set("feed_forward_length", config.RequiredInt("intermediate_size"));
        model.Set("attention.head_count", config.RequiredInt("num_attention_heads"));
        model.Set("attention.causal", false);
        model.Set("context_length", config.RequiredInt("max_position_embeddings"));
        model.Set("attention.layer_norm_epsilon", config.Number("layer_norm_eps") ?? 1e-12);
        var prefix = model.Has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
        var embeddings = prefix + "embeddings.";
        model.Matrix("token_embd.weight", embeddings + "word_embeddings.weight");
        model.Matrix("position_embd.weight", embeddings + "position_embeddings.weight");
        model.Matrix("token_types.weight", embeddings + "token_type_embeddings.weight");
        model.Norm("token_embd_norm", embeddings + "LayerNorm");
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"{prefix}encoder.layer.{i}.");
            model.Linear(blk + "attn_q", layer + "attention.self.query");
            model.Linear(blk + "attn_k", layer + "attention.self.key");
            model.Linear(blk + "attn_v", layer + "attention.self.value");
            model.Linear(blk + "attn_output", layer + "attention.output.dense");
            model.Norm(blk + "attn_output_norm", layer + "attention.output.LayerNorm");
            model.Linear(blk + "ffn_up", layer + "intermediate.dense");
            model.Linear(blk + "ffn_down", layer + "output.dense");
            model.Norm(blk + "layer_output_norm", layer + "output.LayerNorm");
        }

        // Heads for other tasks than embedding.
        model.Ignore(n => n.StartsWith(prefix + "pooler.", StringComparison.Ordinal) || n.StartsWith("cls.", StringComparison.Ordinal) || n == embeddings + "position_ids");
    }
}
