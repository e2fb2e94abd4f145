namespace Slm.Engine.HuggingFace.Families;

/// <summary>What most decoders have alike.</summary>
internal static class DecoderParts
{
    /// <summary>Layers, widths, heads, context and epsilon.</summary>
    /// <returns>Layers and the size of a head.</returns>
    public static (int Layers, int HeadSize) AddSizes(FolderModel model, FolderConfig config, string feedForward = "intermediate_size")
    {
        var layers = config.RequiredInt("num_hidden_layers");
        var hidden = config.RequiredInt("hidden_size");
        var heads = config.Int("num_attention_heads", 1) ?? throw config.Error("'num_attention_heads' is missing.");
        var headSize = config.Int("head_dim", 1) ?? (hidden % heads == 0 ? hidden / heads
            : throw config.Error($"'hidden_size' is {hidden}, no multiple of the {heads} 'num_attention_heads', and 'head_dim' is missing."));
        model.Set("block_count", layers);
        model.Set("embedding_length", hidden);
        model.Set("feed_forward_length", config.RequiredInt(feedForward));
        model.Set("attention.head_count", heads);
        model.Set("attention.head_count_kv", config.Int("num_key_value_heads", 1) ?? heads);
        model.Set("attention.key_length", headSize);
        model.Set("attention.value_length", headSize);
        model.Set("context_length", config.RequiredInt("max_position_embeddings"));
        model.Set("attention.layer_norm_rms_epsilon", config.RequiredNumber("rms_norm_eps"));
        return (layers, headSize);
    }

    /// <summary>Embedding, last norm and head, which may be the embedding.</summary>
    /// <param name="model">The model.</param>
    /// <param name="config">Its fields.</param>
    /// <param name="prefix">Before the names of the decoder's tensors.</param>
    /// <param name="norm">Name of the last norm.</param>
    /// <param name="tiedByDefault">What a missing <c>tie_word_embeddings</c> means where there is a head.</param>
    public static void AddEnds(FolderModel model, FolderConfig config, string prefix = "model.", string norm = "norm", bool tiedByDefault = false)
    {
        model.Matrix("token_embd.weight", prefix + "embed_tokens.weight");
        model.Vector("output_norm.weight", $"{prefix}{norm}.weight");
        AddHead(model, config.Flag("tie_word_embeddings") ?? tiedByDefault);
    }

    /// <summary>The head, unless the embedding is it.</summary>
    public static void AddHead(FolderModel model, bool tied, string from = "lm_head.weight")
    {
        // Some folders keep a copy of the embedding as head.
        if (tied)
            model.Ignore(n => n == from);
        else if (model.Has(from))
            model.Matrix("output.weight", from);
    }

    /// <summary>Queries, keys, values and output; norms of heads where there are some.</summary>
    /// <param name="model">The model.</param>
    /// <param name="blk">Prefix of the layer in GGUF names.</param>
    /// <param name="from">Prefix of its attention in the folder.</param>
    /// <param name="interleavedHead">Size of a head whose rows become interleaved; 0 if they stay.</param>
    public static void AddAttention(FolderModel model, string blk, string from, int interleavedHead = 0)
    {
        model.Linear(blk + "attn_q", from + "q_proj", headSize: interleavedHead);
        model.Linear(blk + "attn_k", from + "k_proj", headSize: interleavedHead);
        model.Linear(blk + "attn_v", from + "v_proj");
        model.Linear(blk + "attn_output", from + "o_proj");
    }

    /// <summary>Gate, up and down.</summary>
    public static void AddFeedForward(FolderModel model, string blk, string from)
    {
        model.Linear(blk + "ffn_gate", from + "gate_proj");
        model.Linear(blk + "ffn_up", from + "up_proj");
        model.Linear(blk + "ffn_down", from + "down_proj");
    }
}
