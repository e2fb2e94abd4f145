using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of the llama family: llama (also Mistral, SmolLM), qwen2, qwen3.</summary>
internal static class LlamaConfig
{
    private const int MaxLayers = 1024;
    private const int MaxWidth = 1 << 20;
    private const int MaxHeads = 4096;
    private const int MaxContext = 1 << 26;

    /// <summary>Reads <c>{architecture}.*</c>.</summary>
    /// <param name="neoX">Whether this architecture rotates halves instead of neighbouring pairs.</param>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(GgufFile file, string architecture, bool neoX)
    {
        var keys = new GgufKeys(file, architecture);
        if (keys.Int("expert_count", 0, int.MaxValue) is > 0 and var experts)
            throw keys.Error($"the model has {experts} experts per layer; mixture-of-experts models of the architecture '{architecture}' are not supported yet.");
        var hidden = keys.RequiredInt("embedding_length", 1, MaxWidth);
        var heads = keys.RequiredInt("attention.head_count", 1, MaxHeads);
        var kvHeads = keys.Int("attention.head_count_kv", 1, MaxHeads) ?? heads;
        if (heads % kvHeads != 0)
            throw keys.Error($"'{keys.Key("attention.head_count")}' is {heads}, no multiple of '{keys.Key("attention.head_count_kv")}', which is {kvHeads}.");
        var headSize = keys.Int("attention.key_length", 1, MaxWidth) ?? (hidden % heads == 0 ? hidden / heads
            : throw keys.Error($"'{keys.Key("embedding_length")}' is {hidden}, no multiple of the {heads} heads, and '{keys.Key("attention.key_length")}' is missing."));
        if (headSize % 2 != 0 || (long)headSize * heads > MaxWidth)
            throw keys.Error($"{heads} heads of {headSize} elements are not possible: the size must be even and all heads together have at most {MaxWidth}.");
        if (keys.Int("attention.value_length", 1, MaxWidth) is { } valueSize && valueSize != headSize)
            throw keys.Error($"'{keys.Key("attention.value_length")}' is {valueSize}, but keys have {headSize} elements; different sizes are not supported.");
        if (keys.Int("attention.sliding_window", 0, int.MaxValue) is > 0 and var window && window < (keys.Int("context_length", 1, MaxContext) ?? MaxContext))
            throw keys.Error($"'{keys.Key("attention.sliding_window")}' is {window}; sliding windows are not supported yet.");
        return new ModelConfig
        {
            Architecture = architecture,
            LayerCount = keys.RequiredInt("block_count", 1, MaxLayers),
            HiddenSize = hidden,
            FeedForwardSize = keys.RequiredInt("feed_forward_length", 1, MaxWidth),
            HeadCount = heads,
            KeyValueHeadCount = kvHeads,
            HeadSize = headSize,
            VocabSize = VocabSize(file, keys),
            ContextLength = keys.RequiredInt("context_length", 1, MaxContext),
            NormEpsilon = keys.RequiredFloat("attention.layer_norm_rms_epsilon", 0, 1),
            Rope = ReadRope(keys, headSize, neoX),
        };
    }

    private static RopeConfig ReadRope(GgufKeys keys, int headSize, bool neoX)
    {
        var dimensions = keys.Int("rope.dimension_count", 2, headSize) ?? headSize;
        if (dimensions % 2 != 0)
            throw keys.Error($"'{keys.Key("rope.dimension_count")}' is {dimensions}; it must be even.");
        var scaling = keys.Text("rope.scaling.type") switch
        {
            null or "none" => RopeScaling.None,
            "linear" => RopeScaling.Linear,
            "yarn" => RopeScaling.Yarn,
            var other => throw keys.Error($"'{keys.Key("rope.scaling.type")}' is '{other}'; none, linear and yarn are supported."),
        };
        // Old files have only the linear factor.
        var linear = keys.Float("rope.scale_linear", 1e-6, 1e6);
        var factor = keys.Float("rope.scaling.factor", 1e-6, 1e6) ?? linear ?? 1;
        if (linear is not null && scaling == RopeScaling.None && !keys.Has("rope.scaling.type"))
            scaling = RopeScaling.Linear;
        var original = keys.Int("rope.scaling.original_context_length", 1, MaxContext);
        if (scaling == RopeScaling.Yarn && original is null)
            throw keys.Error($"YaRN scaling needs '{keys.Key("rope.scaling.original_context_length")}', which is missing.");
        return new RopeConfig
        {
            Base = keys.Float("rope.freq_base", 1e-3, 1e12) ?? 10000,
            Dimensions = dimensions,
            NeoX = neoX,
            Scaling = scaling,
            Factor = factor,
            OriginalContextLength = original ?? 0,
            AttentionFactor = keys.Float("rope.scaling.attn_factor", 0, 1e3) ?? 1,
            BetaFast = keys.Float("rope.scaling.yarn_beta_fast", 0, 1e6) ?? keys.Float("rope.scaling.beta_fast", 0, 1e6) ?? 32,
            BetaSlow = keys.Float("rope.scaling.yarn_beta_slow", 0, 1e6) ?? keys.Float("rope.scaling.beta_slow", 0, 1e6) ?? 1,
        };
    }

    private static int VocabSize(GgufFile file, GgufKeys keys)
    {
        if (!file.TryGetTensor("token_embd.weight", out var embedding))
            throw keys.Error("the tensor 'token_embd.weight' is missing.");
        if (embedding.Shape.Count != 2 || embedding.Shape[1] > int.MaxValue)
            throw keys.Error($"the tensor 'token_embd.weight' has the shape {embedding.ShapeText}; [hidden, vocabulary] is expected.");
        var size = (int)embedding.Shape[1];
        if (keys.Int("vocab_size", 1, int.MaxValue) is { } stated && stated != size)
            throw keys.Error($"'{keys.Key("vocab_size")}' is {stated}, but 'token_embd.weight' has {size} rows.");
        return size;
    }
}
