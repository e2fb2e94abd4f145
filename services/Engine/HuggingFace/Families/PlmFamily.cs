namespace Slm.Engine.HuggingFace.Families;

/// <summary>PLM: latent attention, and a feed-forward with squared ReLU. Its folders rotate neighbouring pairs, as its GGUF files do.</summary>
internal static class PlmFamily
{
    /// <summary>Maps a folder.</summary>
    public static void Read(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "relu2");
        if (config.Int("q_lora_rank") is { } rank)
            throw config.Error($"'q_lora_rank' is {rank}; latent queries are not supported for this kind of model.");
        var (layers, _) = DecoderParts.AddSizes(model, config);
        RopeMapping.Add(model, config, LatentTensors.AddSizes(model, config));
        DecoderParts.AddEnds(model, config);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            LatentTensors.AddLayer(model, blk, layer + "self_attn.", latentQueries: false);
            model.Vector(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight");
            model.Linear(blk + "ffn_up", layer + "mlp.up_proj");
            model.Linear(blk + "ffn_down", layer + "mlp.down_proj");
        }
    }
}
