using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of the BERT family (Devlin et al. 2019): bert, nomic-bert and modern-bert with rotary positions, and jina-bert-v2.</summary>
internal static class BertConfig
{
    /// <summary>In modern-bert every third layer from the first on sees all of the text, the others a window.</summary>
    public const int Pattern = 3;

    /// <summary>Reads <c>{architecture}.*</c>.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file, string architecture)
    {
        var keys = new GgufKeys(file, architecture);
        var hidden = keys.RequiredInt("embedding_length", 1, LlamaConfig.MaxWidth);
        var heads = keys.RequiredInt("attention.head_count", 1, 4096);
        if (keys.Int("attention.head_count_kv", 1, 4096) is { } others && others != heads)
            throw keys.Error($"'{keys.Key("attention.head_count_kv")}' is {others}, but there are {heads} heads; shared keys are not supported for this architecture.");
        if (hidden % heads != 0)
            throw keys.Error($"'{keys.Key("embedding_length")}' is {hidden}, no multiple of the {heads} heads.");
        if (keys.Flag("attention.causal") is true)
            throw keys.Error($"'{keys.Key("attention.causal")}' is true; this architecture is supported as an encoder, which sees all of a text.");
        if (keys.Int("moe_every_n_layers", 0, LlamaConfig.MaxLayers) is > 0 and var every)
            throw keys.Error($"'{keys.Key("moe_every_n_layers")}' is {every}; experts are not supported for this architecture.");
        // 0 none, 1 mean, 2 first token, 3 last token: who asks for embeddings pools. 4 is a classifier behind the encoder.
        keys.Int("pooling_type", 0, 3);
        var rotary = architecture is "nomic-bert" or "modern-bert";
        var headSize = hidden / heads;
        if (rotary && headSize % 2 != 0)
            throw keys.Error($"'{keys.Key("attention.head_count")}' is {heads}, so that a head has {headSize} elements; the number must be even.");
        var contextLength = keys.RequiredInt("context_length", 1, 1 << 20);
        return new ModelConfig
        {
            Architecture = architecture,
            LayerCount = keys.RequiredInt("block_count", 1, LlamaConfig.MaxLayers),
            HiddenSize = hidden,
            FeedForwardSize = keys.RequiredInt("feed_forward_length", 1, LlamaConfig.MaxWidth),
            HeadCount = heads,
            KeyValueHeadCount = heads,
            HeadSize = headSize,
            VocabSize = LlamaConfig.VocabSize(file, keys, hidden),
            ContextLength = contextLength,
            NormEpsilon = keys.RequiredFloat("attention.layer_norm_epsilon", 0, 1),
            Rope = rotary
                ? RopeReader.Read(keys, headSize, contextLength, neoX: true)
                : new RopeConfig { Base = 10000, Dimensions = 0, NeoX = false },
            IsCausal = false,
        };
    }

    /// <summary>Reads <c>modern-bert.*</c>: all layers but every third see a window, half of it on each side, with a rotation of their own.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig ReadModern(ModelSource file)
    {
        var keys = new GgufKeys(file, "modern-bert");
        var config = Read(file, "modern-bert");
        var window = keys.Int("attention.sliding_window", 0, int.MaxValue) ?? 0;
        if (window < 2)
            return config;
        if (keys.Int("attention.sliding_window_pattern", 0, LlamaConfig.MaxLayers) is { } pattern and not Pattern)
            throw keys.Error($"'{keys.Key("attention.sliding_window_pattern")}' is {pattern}; {Pattern} is supported: every third layer sees all.");
        return config with
        {
            Window = window / 2,
            WindowRope = new RopeConfig { Base = keys.Float("rope.freq_base_swa", 1.0001, 1e12) ?? 10000, Dimensions = config.Rope.Dimensions, NeoX = true },
        };
    }
}
