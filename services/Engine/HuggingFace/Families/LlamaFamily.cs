namespace Slm.Engine.HuggingFace.Families;

/// <summary>llama, mistral, mixtral, qwen2, qwen3 and their mixtures of experts.</summary>
internal static class LlamaFamily
{
    /// <summary>Maps a folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="interleaved">Whether GGUF files of the architecture rotate neighbouring pairs; folders rotate halves.</param>
    /// <param name="experts">Names of experts, for architectures that have some.</param>
    public static void Read(FolderModel model, bool interleaved, ExpertNames? experts = null)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "silu");
        // Where all layers are sparse, published configurations still have the width of dense ones.
        var (layers, headSize) = DecoderParts.AddSizes(model, config);
        RopeMapping.Add(model, config, headSize);
        AddWindow(model, config, layers);
        DecoderParts.AddEnds(model, config);
        var count = experts?.AddSizes(model, config) ?? 0;
        if (experts == ExpertNames.Qwen)
            AddRouting(model, config);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            DecoderParts.AddAttention(model, blk, layer + "self_attn.", interleaved ? headSize : 0);
            if (model.Has(layer + "self_attn.q_norm.weight"))
            {
                model.Vector(blk + "attn_q_norm.weight", layer + "self_attn.q_norm.weight");
                model.Vector(blk + "attn_k_norm.weight", layer + "self_attn.k_norm.weight");
            }

            model.Vector(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight");
            if (experts is not null && !model.Has(layer + "mlp.gate_proj.weight"))
                experts.AddLayer(model, blk, layer, count);
            else
                DecoderParts.AddFeedForward(model, blk, layer + "mlp.");
            if (model.Has(layer + "mlp.shared_expert_gate.weight"))
                AddShared(model, blk, layer + "mlp.");
        }
    }

    /// <summary>A window in all layers, or none.</summary>
    private static void AddWindow(FolderModel model, FolderConfig config, int layers)
    {
        if (config.Int("sliding_window") is not { } window || window == 0)
            return;
        var qwen = config.Text("model_type")!.StartsWith("qwen", StringComparison.Ordinal);
        if (qwen && config.Flag("use_sliding_window") is not true)
            return;
        if (qwen && (config.Int("max_window_layers") ?? 28) is var full && full > 0)
        {
            if (full < layers)
                throw config.Error($"'max_window_layers' is {full} of {layers} layers; windows in some of the layers are not supported for this kind of model.");
            return;
        }

        if (config.Texts("layer_types") is { } kinds && kinds.Any(k => k != "sliding_attention"))
        {
            if (kinds.Any(k => k == "sliding_attention"))
                throw config.Error("'layer_types' has windows in some of the layers, which is not supported for this kind of model.");
            return;
        }

        model.Set("attention.sliding_window", window);
    }

    private static void AddRouting(FolderModel model, FolderConfig config)
    {
        model.Set("expert_weights_norm", config.Flag("norm_topk_prob") ?? false);
        model.Set("expert_shared_feed_forward_length", config.Int("shared_expert_intermediate_size", 1));
    }

    private static void AddShared(FolderModel model, string blk, string from)
    {
        model.Matrix(blk + "ffn_gate_shexp.weight", from + "shared_expert.gate_proj.weight");
        model.Matrix(blk + "ffn_up_shexp.weight", from + "shared_expert.up_proj.weight");
        model.Matrix(blk + "ffn_down_shexp.weight", from + "shared_expert.down_proj.weight");
        model.Matrix(blk + "ffn_gate_inp_shexp.weight", from + "shared_expert_gate.weight");
    }
}
