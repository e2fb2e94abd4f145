namespace Slm.Engine.HuggingFace.Families;

/// <summary>phi3 (also Phi-3.5 and Phi-4-mini): queries, keys and values in one tensor, gate and up in another.</summary>
internal static class Phi3Family
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "silu");
        var (layers, headSize) = DecoderParts.AddSizes(model, config);
        var share = config.Number("partial_rotary_factor") ?? config.Object("rope_parameters")?.Number("partial_rotary_factor") ?? 1;
        RopeMapping.Add(model, config, share is > 0 and <= 1 ? (int)(headSize * share)
            : throw config.Error($"'partial_rotary_factor' is {share}; it must be above 0 and at most 1."), longRope: true);
        if (config.Int("sliding_window") is > 0 and var window && window < config.RequiredInt("max_position_embeddings"))
            model.Set("attention.sliding_window", window);
        DecoderParts.AddEnds(model, config);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            model.Linear(blk + "attn_qkv", layer + "self_attn.qkv_proj");
            model.Linear(blk + "attn_output", layer + "self_attn.o_proj");
            model.Vector(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight");
            model.Linear(blk + "ffn_up", layer + "mlp.gate_up_proj");
            model.Linear(blk + "ffn_down", layer + "mlp.down_proj");
        }
    }
}
