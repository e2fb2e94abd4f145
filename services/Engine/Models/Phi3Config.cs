using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of phi3: llama's; the tensors differ.</summary>
internal static class Phi3Config
{
    /// <summary>Reads <c>phi3.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd, or positions are scaled by factors per length.</exception>
    public static ModelConfig Read(GgufFile file)
    {
        var keys = new GgufKeys(file, "phi3");
        if (file.TryGetTensor("rope_factors_long.weight", out _) || file.TryGetTensor("rope_factors_short.weight", out _))
            throw keys.Error("it has 'rope_factors_long.weight' or 'rope_factors_short.weight' (LongRoPE), which is not supported yet.");
        var config = LlamaConfig.ReadBase(file, "phi3", neoX: true);
        if (config.Experts is not null)
            throw keys.Error($"'{keys.Key("expert_count")}' is {config.Experts.Count}; phi3 has no experts.");
        return config with { Window = keys.Int("attention.sliding_window", 0, int.MaxValue) ?? 0 };
    }
}
