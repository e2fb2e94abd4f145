using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of the BERT family (Devlin et al. 2019): bert, and nomic-bert with rotary positions and gates.</summary>
internal static class BertConfig
{
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
        var rotary = architecture != "bert";
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
}
