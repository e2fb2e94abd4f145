using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of smallthinker.</summary>
internal static class SmallThinkerConfig
{
    /// <summary>With windows, every fourth layer from the first on sees all positions, unrotated.</summary>
    public const int Pattern = 4;

    /// <summary>Reads <c>smallthinker.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "smallthinker");
        var config = LlamaConfig.ReadBase(file, "smallthinker", neoX: true);
        return config.Experts is null
            ? throw keys.Error($"the metadata key '{keys.Key("expert_count")}' is missing or 0.")
            : config with { Window = keys.Int("attention.sliding_window", 0, int.MaxValue) ?? 0 };
    }
}
