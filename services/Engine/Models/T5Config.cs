using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of t5 (Raffel et al. 2020), flan-t5 and the like: encoder and decoder.</summary>
internal static class T5Config
{
    /// <summary>No key says it; all published models have this.</summary>
    private const int MaxDistance = 128;

    /// <summary>Reads <c>t5.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file)
    {
        var keys = new GgufKeys(file, "t5");
        var hidden = keys.RequiredInt("embedding_length", 1, LlamaConfig.MaxWidth);
        var heads = keys.RequiredInt("attention.head_count", 1, 4096);
        if (keys.Int("attention.head_count_kv", 1, 4096) is { } others && others != heads)
            throw keys.Error($"'{keys.Key("attention.head_count_kv")}' is {others}, but there are {heads} heads; shared keys are not supported for this architecture.");
        var keySize = keys.Int("attention.key_length", 1, LlamaConfig.MaxWidth) ?? (hidden % heads == 0 ? hidden / heads
            : throw keys.Error($"'{keys.Key("embedding_length")}' is {hidden}, no multiple of the {heads} heads, and '{keys.Key("attention.key_length")}' is missing."));
        var valueSize = keys.Int("attention.value_length", 1, LlamaConfig.MaxWidth) ?? keySize;
        if ((long)Math.Max(keySize, valueSize) * heads > LlamaConfig.MaxWidth)
            throw keys.Error($"'{keys.Key("attention.head_count")}' is {heads} and a head has {Math.Max(keySize, valueSize)} elements; all heads together may have at most {LlamaConfig.MaxWidth}.");
        var encoder = keys.RequiredInt("block_count", 1, LlamaConfig.MaxLayers);
        var decoder = keys.Int("decoder_block_count", 1, LlamaConfig.MaxLayers) ?? encoder;
        var vocabulary = LlamaConfig.VocabSize(file, keys, hidden);
        var buckets = keys.RequiredInt("attention.relative_buckets_count", 4, 1 << 12);
        if (buckets % 4 != 0 || buckets / 2 >= MaxDistance)
            throw keys.Error($"'{keys.Key("attention.relative_buckets_count")}' is {buckets}; it must be a multiple of 4 below {2 * MaxDistance}.");
        return new ModelConfig
        {
            Architecture = "t5",
            LayerCount = encoder + decoder,
            HiddenSize = hidden,
            FeedForwardSize = keys.RequiredInt("feed_forward_length", 1, LlamaConfig.MaxWidth),
            HeadCount = heads,
            KeyValueHeadCount = heads,
            HeadSize = keySize,
            ValueSize = valueSize,
            VocabSize = vocabulary,
            ContextLength = keys.RequiredInt("context_length", 1, RopeReader.MaxContext),
            NormEpsilon = keys.RequiredFloat("attention.layer_norm_rms_epsilon", 0, 1),
            Rope = new RopeConfig { Base = 10000, Dimensions = 0, NeoX = false },
            AttentionScale = 1,
            // A head that is the embedding reads hidden states divided by √hidden, as the models were trained.
            LogitScale = file.TryGetTensor("output.weight", out _) ? 1 : 1 / MathF.Sqrt(hidden),
            Buckets = new PositionBuckets(buckets, MaxDistance),
            Encoder = new EncoderConfig(encoder, keys.Int("decoder_start_token_id", 0, vocabulary - 1) ?? 0),
        };
    }
}
