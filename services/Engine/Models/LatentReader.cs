namespace Slm.Engine.Models;

/// <summary>Latent attention from <c>{architecture}.attention.*</c>.</summary>
internal static class LatentReader
{
    /// <summary>Reads the keys.</summary>
    /// <param name="keys">Keys of the architecture.</param>
    /// <param name="config">What has been read: <see cref="ModelConfig.HeadSize"/> is the size of a query, plain and rotated.</param>
    /// <param name="queryRank">Elements of the vector that queries come from; 0 if there is none.</param>
    /// <exception cref="Formats.ModelFormatException">A key is missing or absurd.</exception>
    public static LatentConfig Read(GgufKeys keys, ModelConfig config, int queryRank)
    {
        if (config.KeyValueHeadCount != config.HeadCount && config.KeyValueHeadCount != 1)
            throw keys.Error($"'{keys.Key("attention.head_count_kv")}' is {config.KeyValueHeadCount}; latent attention has as many as '{keys.Key("attention.head_count")}', {config.HeadCount}, or one.");
        var rotated = config.Rope.Dimensions;
        if (rotated >= config.HeadSize)
            throw keys.Error($"'{keys.Key("rope.dimension_count")}' is {rotated}; it must be below '{keys.Key("attention.key_length")}', which is {config.HeadSize}.");
        return new LatentConfig
        {
            KeyValueRank = keys.RequiredInt("attention.kv_lora_rank", 1, LlamaConfig.MaxWidth),
            QueryRank = queryRank,
            PlainSize = config.HeadSize - rotated,
            RotatedSize = rotated,
            ValueSize = keys.Int("attention.value_length", 1, LlamaConfig.MaxWidth) ?? config.HiddenSize / config.HeadCount,
        };
    }
}
