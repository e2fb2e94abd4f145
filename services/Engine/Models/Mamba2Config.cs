using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of mamba2: neither attention nor feed-forward.</summary>
internal static class Mamba2Config
{
    /// <summary>Reads <c>mamba2.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "mamba2");
        var hidden = keys.RequiredInt("embedding_length", 1, LlamaConfig.MaxWidth);
        keys.Int("attention.head_count", 0, 0);
        keys.Int("feed_forward_length", 0, 0);
        return new ModelConfig
        {
            Architecture = "mamba2",
            LayerCount = keys.RequiredInt("block_count", 1, LlamaConfig.MaxLayers),
            HiddenSize = hidden,
            FeedForwardSize = 0,
            HeadCount = 0,
            KeyValueHeadCount = 0,
            HeadSize = 0,
            VocabSize = LlamaConfig.VocabSize(file, keys, hidden),
            ContextLength = keys.RequiredInt("context_length", 1, RopeReader.MaxContext),
            NormEpsilon = keys.RequiredFloat("attention.layer_norm_rms_epsilon", 0, 1),
            Rope = new RopeConfig { Base = 10000, Dimensions = 0, NeoX = false },
            Ssm = SsmConfig.Read(keys),
        };
    }
}
