using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of the llama family: llama (also Mistral, Mixtral, SmolLM), qwen2, qwen3 and their mixtures of experts.</summary>
internal static class LlamaConfig
{
    /// <summary>Most layers that are believed.</summary>
    public const int MaxLayers = 1024;

    /// <summary>Widest row that is believed.</summary>
    public const int MaxWidth = 1 << 20;

    private const int MaxHeads = 4096;

    /// <summary>Reads <c>{architecture}.*</c>.</summary>
    /// <param name="neoX">Whether this architecture rotates halves instead of neighbouring pairs.</param>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig Read(ModelSource file, string architecture, bool neoX)
    {
        var keys = new GgufKeys(file, architecture);
        var config = ReadBase(file, architecture, neoX);
        var window = keys.Int("attention.sliding_window", 0, int.MaxValue) ?? 0;
        if (window == 0 || window >= config.ContextLength)
            return config;
        // In all layers, as Mistral has it.
        return architecture == "llama" ? config with { Window = window }
            : throw keys.Error($"'{keys.Key("attention.sliding_window")}' is {window}; sliding windows are not supported for this architecture.");
    }

    /// <summary>The same for architectures that know more keys: windows are theirs to read.</summary>
    /// <param name="file">The file.</param>
    /// <param name="architecture">Its architecture.</param>
    /// <param name="neoX">Whether this architecture rotates halves instead of neighbouring pairs.</param>
    /// <param name="values">Whether the size of values is the architecture's to read.</param>
    /// <exception cref="ModelFormatException">A key is missing or absurd.</exception>
    public static ModelConfig ReadBase(ModelSource file, string architecture, bool neoX, bool values = false)
    {
        var keys = new GgufKeys(file, architecture);
        var hidden = keys.RequiredInt("embedding_length", 1, MaxWidth);
        var heads = keys.RequiredInt("attention.head_count", 1, MaxHeads);
        var kvHeads = keys.Int("attention.head_count_kv", 1, MaxHeads) ?? heads;
        if (heads % kvHeads != 0)
            throw keys.Error($"'{keys.Key("attention.head_count")}' is {heads}, no multiple of '{keys.Key("attention.head_count_kv")}', which is {kvHeads}.");
        var headSize = keys.Int("attention.key_length", 1, MaxWidth) ?? (hidden % heads == 0 ? hidden / heads
            : throw keys.Error($"'{keys.Key("embedding_length")}' is {hidden}, no multiple of the {heads} heads, and '{keys.Key("attention.key_length")}' is missing."));
        if (headSize % 2 != 0 || (long)headSize * heads > MaxWidth)
            throw keys.Error($"'{keys.Key("attention.head_count")}' is {heads} and a head has {headSize} elements, by '{keys.Key("attention.key_length")}' or '{keys.Key("embedding_length")}'; the size must be even and all heads together have at most {MaxWidth}.");
        if (!values && keys.Int("attention.value_length", 1, MaxWidth) is { } valueSize && valueSize != headSize)
            throw keys.Error($"'{keys.Key("attention.value_length")}' is {valueSize}, but keys have {headSize} elements; different sizes are not supported.");
        var contextLength = keys.RequiredInt("context_length", 1, RopeReader.MaxContext);
        var feedForward = keys.RequiredInt("feed_forward_length", 1, MaxWidth);
        var experts = ExpertConfig.Read(keys, feedForward, shared: architecture == "qwen2moe", normalize: architecture != "qwen2moe");
        if (experts is null && architecture.EndsWith("moe", StringComparison.Ordinal))
            throw keys.Error($"the metadata key '{keys.Key("expert_count")}' is missing or 0.");
        return new ModelConfig
        {
            Architecture = architecture,
            LayerCount = keys.RequiredInt("block_count", 1, MaxLayers),
            HiddenSize = hidden,
            FeedForwardSize = feedForward,
            Experts = experts,
            HeadCount = heads,
            KeyValueHeadCount = kvHeads,
            HeadSize = headSize,
            VocabSize = VocabSize(file, keys, hidden),
            ContextLength = contextLength,
            NormEpsilon = keys.RequiredFloat("attention.layer_norm_rms_epsilon", 0, 1),
            Rope = RopeReader.Read(keys, headSize, contextLength, neoX, longRope: architecture is "phi3" or "minicpm3"),
        };
    }

    /// <summary>Rows of the embedding, which is checked against the width.</summary>
    /// <exception cref="ModelFormatException">It is missing or has another shape.</exception>
    public static int VocabSize(ModelSource file, GgufKeys keys, int hidden)
    {
        if (!file.TryGetTensor("token_embd.weight", out var embedding))
            throw keys.Error("the tensor 'token_embd.weight' is missing.");
        if (embedding.Shape.Count != 2 || embedding.Shape[0] != hidden || embedding.Shape[1] > int.MaxValue)
            throw keys.Error($"the tensor 'token_embd.weight' has the shape {embedding.ShapeText}; [{hidden}, vocabulary] is expected, as '{keys.Key("embedding_length")}' says.");
        var size = (int)embedding.Shape[1];
        if (keys.Int("vocab_size", 1, int.MaxValue) is { } stated && stated != size)
            throw keys.Error($"'{keys.Key("vocab_size")}' is {stated}, but 'token_embd.weight' has {size} rows.");
        return size;
    }
}
