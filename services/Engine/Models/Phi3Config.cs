using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of phi3: llama's; the tensors differ.</summary>
internal static class Phi3Config
{
    /// <summary>Reads <c>phi3.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "phi3");
        var config = LlamaConfig.ReadBase(file, "phi3", neoX: true);
        if (config.Experts is not null)
            throw keys.Error($"'{keys.Key("expert_count")}' is {config.Experts.Count}; phi3 has no experts.");
        return config with { Window = keys.Int("attention.sliding_window", 0, int.MaxValue) ?? 0 };
    }
}
