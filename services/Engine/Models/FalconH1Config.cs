using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of falcon-h1: llama's, with Mamba-2 beside attention in every layer. Files have the µP multipliers in their weights.</summary>
internal static class FalconH1Config
{
    /// <summary>Reads <c>falcon-h1.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "falcon-h1");
        var config = LlamaConfig.Read(file, "falcon-h1", neoX: true);
        if (config.Experts is not null)
            throw keys.Error($"'{keys.Key("expert_count")}' is {config.Experts.Count}; falcon-h1 has no experts.");
        return config with { Ssm = SsmConfig.Read(keys) };
    }
}
