using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of minicpm: llama's with three factors.</summary>
internal static class MiniCpmConfig
{
    private const double MaxFactor = 1e6;

    /// <summary>Reads <c>minicpm.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "minicpm");
        var config = LlamaConfig.Read(file, "minicpm", neoX: false);
        // Logits are divided by the last one; files from before the keys rely on the published model's values.
        return config with
        {
            EmbeddingScale = keys.Float("embedding_scale", 1 / MaxFactor, MaxFactor) ?? 12,
            ResidualScale = keys.Float("residual_scale", 1 / MaxFactor, MaxFactor) ?? 1.4f / MathF.Sqrt(config.LayerCount),
            LogitScale = 1 / (keys.Float("logit_scale", 1 / MaxFactor, MaxFactor) ?? config.HiddenSize / 256f),
        };
    }
}
