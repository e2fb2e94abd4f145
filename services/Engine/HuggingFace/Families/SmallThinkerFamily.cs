using Slm.Engine.Models;

namespace Slm.Engine.HuggingFace.Families;

/// <summary>SmallThinker: names and fields as PowerInfer's models have them.</summary>
internal static class SmallThinkerFamily
{
    private static readonly ExpertNames Names = new("moe_num_primary_experts", "moe_ffn_hidden_size", "block_sparse_moe.", "primary_router", "gate", "up", "down");

    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        var (layers, headSize) = DecoderParts.AddSizes(model, config, feedForward: "moe_ffn_hidden_size");
        RopeMapping.Add(model, config, headSize);
        var count = config.RequiredInt(Names.Count);
        model.Set("expert_count", count);
        model.Set("expert_used_count", config.RequiredInt("moe_num_active_primary_experts"));
        model.Set("expert_feed_forward_length", config.RequiredInt("moe_ffn_hidden_size"));
        model.Set("expert_gating_func", config.Flag("moe_primary_router_apply_softmax") is true ? (int)ExpertGating.Softmax : (int)ExpertGating.Sigmoid);
        AddLayouts(model, config, layers);
        DecoderParts.AddEnds(model, config);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            DecoderParts.AddAttention(model, blk, layer + "self_attn.");
            model.Vector(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight");
            Names.AddLayer(model, blk, layer, count);
        }
    }

    /// <summary>GGUF has one key for both lists: with a window every fourth layer from the first on sees all positions, unrotated.</summary>
    private static void AddLayouts(FolderModel model, FolderConfig config, int layers)
    {
        var windows = config.Numbers("sliding_window_layout");
        var rotations = config.Numbers("rope_layout");
        if (windows is null || windows.All(w => w == 0))
        {
            if (rotations is not null && (rotations.Length != layers || rotations.Any(r => r != 1)))
                throw config.Error("'rope_layout' leaves layers unrotated without windows in the others, which is not supported.");
            return;
        }

        if (windows.Length != layers)
            throw config.Error($"'sliding_window_layout' has {windows.Length} numbers, but there are {layers} layers.");
        var usual = Enumerable.Range(0, layers).Select(i => i % SmallThinkerConfig.Pattern == 0 ? 0.0 : 1.0).ToArray();
        var rotated = layers == SmallThinkerConfig.Pattern ? [.. Enumerable.Repeat(1.0, layers)] : usual;
        if (!windows.SequenceEqual(usual) || (rotations is not null && !rotations.SequenceEqual(rotated)))
            throw config.Error($"'sliding_window_layout' and 'rope_layout' are not the usual: of {SmallThinkerConfig.Pattern} layers all but the first with window and rotation. Others are not supported.");
        model.Set("attention.sliding_window", config.RequiredInt("sliding_window_size"));
    }
}
