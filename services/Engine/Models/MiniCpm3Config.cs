using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of minicpm3: latent attention, and minicpm's three factors.</summary>
internal static class MiniCpm3Config
{
    private const double MaxFactor = 1e6;

    /// <summary>Reads <c>minicpm3.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "minicpm3");
        var config = LlamaConfig.ReadBase(file, "minicpm3", neoX: true, values: true);
        if (config.Experts is not null)
            throw keys.Error($"'{keys.Key("expert_count")}' is {config.Experts.Count}; minicpm3 has no experts.");

        // Published files have no keys for the factors and rely on the published model's.
        return config with
        {
            Latent = LatentReader.Read(keys, config, keys.RequiredInt("attention.q_lora_rank", 1, LlamaConfig.MaxWidth)),
            EmbeddingScale = keys.Float("embedding_scale", 1 / MaxFactor, MaxFactor) ?? 12,
            ResidualScale = keys.Float("residual_scale", 1 / MaxFactor, MaxFactor) ?? 1.4f / MathF.Sqrt(config.LayerCount),
            LogitScale = 1 / (keys.Float("logit_scale", 1 / MaxFactor, MaxFactor) ?? config.HiddenSize / 256f),
        };
    }
}
