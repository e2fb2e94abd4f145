namespace Slm.Engine.HuggingFace.Families;

/// <summary>minicpm, and minicpm3 with latent attention: llama's layers with three factors.</summary>
internal static class MiniCpmFamily
{
    /// <summary>Maps a folder of minicpm.</summary>
    public static void Read(FolderModel model)
    {
        if (model.Config.Int("num_experts") is > 0 and var experts)
            throw model.Config.Error($"'num_experts' is {experts}; experts are not supported for this kind of model.");
        LlamaFamily.Read(model, interleaved: true);
        AddFactors(model, model.Config);
    }

    /// <summary>Maps a folder of minicpm3.</summary>
    public static void ReadLatent(FolderModel model)
    {
        var config = model.Config;
        config.RequireText("hidden_act", "silu");
        var (layers, _) = DecoderParts.AddSizes(model, config);
        model.Set("attention.q_lora_rank", config.RequiredInt("q_lora_rank"));
        RopeMapping.Add(model, config, LatentTensors.AddSizes(model, config), longRope: true);
        AddFactors(model, config);
        DecoderParts.AddEnds(model, config);
        for (var i = 0; i < layers; i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            model.Vector(blk + "attn_norm.weight", layer + "input_layernorm.weight");
            LatentTensors.AddLayer(model, blk, layer + "self_attn.", latentQueries: true);
            model.Vector(blk + "ffn_norm.weight", layer + "post_attention_layernorm.weight");
            DecoderParts.AddFeedForward(model, blk, layer + "mlp.");
        }
    }

    /// <summary>Without a field a factor is 1, as the models' own code has it.</summary>
    private static void AddFactors(FolderModel model, FolderConfig config)
    {
        model.Set("embedding_scale", config.Number("scale_emb") ?? 1);
        model.Set("residual_scale", config.Number("scale_depth") is { } depth ? depth / Math.Sqrt(config.RequiredInt("num_hidden_layers")) : 1);
        model.Set("logit_scale", config.Number("dim_model_base") is { } width ? config.RequiredInt("hidden_size") / width : 1);
    }
}
