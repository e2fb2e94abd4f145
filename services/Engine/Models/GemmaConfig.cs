using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of gemma3 (text).</summary>
internal static class GemmaConfig
{
    /// <summary>Every sixth layer sees all positions, the others a window.</summary>
    public const int Pattern = 6;

    private const double MaxCap = 1e9;

    private const int LayersOf27B = 62;

    /// <summary>Reads <c>gemma3.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "gemma3");
        var config = LlamaConfig.ReadBase(file, "gemma3", neoX: true);
        if (config.Experts is not null)
            throw keys.Error($"'{keys.Key("expert_count")}' is {config.Experts.Count}; gemma3 has no experts.");
        return config with
        {
            Window = keys.RequiredInt("attention.sliding_window", 1, int.MaxValue),
            // Scaling of positions is for the layers that see all of them.
            WindowRope = new RopeConfig { Base = 10000, Dimensions = config.Rope.Dimensions, NeoX = true },
            EmbeddingScale = MathF.Sqrt(config.HiddenSize),
            AttentionCap = keys.Float("attn_logit_softcapping", 0, MaxCap) ?? 0,
            LogitCap = keys.Float("final_logit_softcapping", 0, MaxCap) ?? 0,
            // No key says it: the largest member scales by its nominal head size instead of the real one.
            AttentionScale = config.LayerCount == LayersOf27B ? 1 / MathF.Sqrt((float)config.HiddenSize / config.HeadCount) : 0,
        };
    }
}
