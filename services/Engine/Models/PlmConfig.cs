using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of plm: llama's with latent attention.</summary>
internal static class PlmConfig
{
    /// <summary>Reads <c>plm.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var config = LlamaConfig.ReadBase(file, "plm", neoX: false, values: true);
        return config with { Latent = LatentReader.Read(new GgufKeys(file, "plm"), config, queryRank: 0) };
    }
}
