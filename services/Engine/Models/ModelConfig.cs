using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Typed hyper-parameters of a model, read from GGUF metadata. Sizes are in elements.</summary>
public sealed record ModelConfig
{
    /// <summary>Value of <c>general.architecture</c>, such as "llama", "qwen2" or "qwen3".</summary>
    public required string Architecture { get; init; }

    /// <summary>Number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer; 0 without one.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Number of query heads; 0 without attention.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Number of key/value heads (GQA); equals <see cref="HeadCount"/> for MHA.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Elements per head of queries and keys.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Elements per head of values, where they are others than <see cref="HeadSize"/>.</summary>
    public int? ValueSize { get; init; }

    /// <summary>Number of vocabulary entries.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Longest sequence the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Epsilon of RMSNorm or LayerNorm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Rotary embedding.</summary>
    public required RopeConfig Rope { get; init; }

    /// <summary>Rotary embedding of layers that see only a window, where it is another.</summary>
    public RopeConfig? WindowRope { get; init; }

    /// <summary>Positions that a layer with a window sees, its own included, or of an encoder those on each side; 0 without windows.</summary>
    public int Window { get; init; }

    /// <summary>Factor of q·k; 0 for the usual 1/√<see cref="HeadSize"/>.</summary>
    public float AttentionScale { get; init; }

    /// <summary>Attention scores x become cap · tanh(x / cap); 0 leaves them.</summary>
    public float AttentionCap { get; init; }

    /// <summary>Logits x become cap · tanh(x / cap); 0 leaves them.</summary>
    public float LogitCap { get; init; }

    /// <summary>Factor of embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>Factor of what attention and feed-forward add to the residual stream.</summary>
    public float ResidualScale { get; init; } = 1;

    /// <summary>Factor of logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>Latent attention in all layers; null if keys and values are each head's own.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>Mamba-2 in all layers; null if there is none.</summary>
    public SsmConfig? Ssm { get; init; }

    /// <summary>Mixture-of-experts layers; null if there are none.</summary>
    public ExpertConfig? Experts { get; init; }

    /// <summary>Buckets of relative positions that attention has a bias for; null if there is none.</summary>
    public PositionBuckets? Buckets { get; init; }

    /// <summary>What the first layers are where an encoder stands before the decoder; null without one.</summary>
    public EncoderConfig? Encoder { get; init; }

    /// <summary>
    /// Whether a position sees those before it only. Where it sees all of its text, as in BERT, the text is computed in one
    /// step, its keys and values are of no use to another, and the result is the hidden states: there is no next token.
    /// </summary>
    public bool IsCausal { get; init; } = true;

    /// <summary>Whether texts (or the encoder's input) are computed in one step each, so that a step must hold the longest.</summary>
    public bool ReadsWholeTexts => !IsCausal || Encoder is not null;

    /// <summary>Tokens that a step takes at most where <paramref name="wanted"/> would do otherwise: what cannot be cut must fit.</summary>
    public int StepTokens(int wanted) => ReadsWholeTexts ? Math.Max(wanted, Math.Min(ContextLength, LongestWholeText)) : wanted;

    /// <summary>Tokens up to which the memory of a step is made large enough for texts that cannot be cut.</summary>
    private const int LongestWholeText = 8192;

    /// <summary>The architectures this engine can run; adding one is one line here and one reader.</summary>
    private static readonly Dictionary<string, Func<ModelSource, ModelConfig>> Readers = new(StringComparer.Ordinal)
    {
        ["bert"] = file => BertConfig.Read(file, "bert"),
        ["falcon-h1"] = FalconH1Config.Read,
        ["gemma3"] = GemmaConfig.Read,
        ["jina-bert-v2"] = file => BertConfig.Read(file, "jina-bert-v2"),
        ["llama"] = file => LlamaConfig.Read(file, "llama", neoX: false),
        ["mamba2"] = Mamba2Config.Read,
        ["minicpm"] = MiniCpmConfig.Read,
        ["minicpm3"] = MiniCpm3Config.Read,
        ["modern-bert"] = BertConfig.ReadModern,
        ["nomic-bert"] = file => BertConfig.Read(file, "nomic-bert"),
        ["phi3"] = Phi3Config.Read,
        ["plm"] = PlmConfig.Read,
        ["qwen2"] = file => LlamaConfig.Read(file, "qwen2", neoX: true),
        ["qwen2moe"] = file => LlamaConfig.Read(file, "qwen2moe", neoX: true),
        ["qwen3"] = file => LlamaConfig.Read(file, "qwen3", neoX: true),
        ["qwen3moe"] = file => LlamaConfig.Read(file, "qwen3moe", neoX: true),
        ["smallthinker"] = SmallThinkerConfig.Read,
        ["t5"] = T5Config.Read,
    };

    /// <summary>What a layer keeps of a sequence.</summary>
    public LayerState StateOf(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)layer, (uint)LayerCount, nameof(layer));
        var attention = HeadCount == 0 ? null : Latent?.Shape(HeadCount) ?? new AttentionShape(HeadCount, KeyValueHeadCount, HeadSize, ValueSize ?? HeadSize);
        return new LayerState(attention, Ssm?.StateFloats ?? 0);
    }

    /// <summary>Names of the supported architectures.</summary>
    public static IReadOnlyCollection<string> SupportedArchitectures => Readers.Keys;

    /// <summary>Reads the hyper-parameters from a model's metadata.</summary>
    /// <exception cref="ModelFormatException">A key is missing or absurd, or the architecture is not supported.</exception>
    public static ModelConfig FromSource(ModelSource file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var name = Path.GetFileName(file.Path);
        if (!file.Metadata.TryGetValue("general.architecture", out var value) || value is not string architecture)
            throw new ModelFormatException($"{name}: the metadata key 'general.architecture' is missing or not a string.");
        return Readers.TryGetValue(architecture, out var read) ? read(file)
            : throw new ModelFormatException($"{name}: the architecture '{architecture}' is not supported. Supported: {string.Join(", ", Readers.Keys)}.");
    }
}

/// <summary>How positions are rotated into queries and keys.</summary>
public sealed record RopeConfig
{
    /// <summary>Base of the frequencies (theta).</summary>
    public required float Base { get; init; }

    /// <summary>Number of leading elements of a head that are rotated.</summary>
    public required int Dimensions { get; init; }

    /// <summary>Pairs (i, i + n/2) as in GPT-NeoX where true; neighbouring pairs (2i, 2i + 1) where false.</summary>
    public required bool NeoX { get; init; }

    /// <summary>Scaling of positions for contexts longer than trained.</summary>
    public RopeScaling Scaling { get; init; } = RopeScaling.None;

    /// <summary>Scaling factor of linear and YaRN scaling.</summary>
    public float Factor { get; init; } = 1;

    /// <summary>Context the model was trained on before scaling (YaRN).</summary>
    public int OriginalContextLength { get; init; }

    /// <summary>Factor on cos and sin beside YaRN's own.</summary>
    public float AttentionFactor { get; init; } = 1;

    /// <summary>Share of YaRN's interpolation by frequency, 0 to 1; at 0 all frequencies are divided by the factor and YaRN's own factor on cos and sin is 1.</summary>
    public float YarnMix { get; init; } = 1;

    /// <summary>Rotations above which YaRN leaves a frequency as it is.</summary>
    public float BetaFast { get; init; } = 32;

    /// <summary>Rotations below which YaRN interpolates a frequency fully.</summary>
    public float BetaSlow { get; init; } = 1;
}

/// <summary>Kinds of RoPE scaling.</summary>
public enum RopeScaling
{
    /// <summary>Positions as they are.</summary>
    None,

    /// <summary>Positions divided by the factor.</summary>
    Linear,

    /// <summary>YaRN (Peng et al. 2023): interpolated by frequency, cos and sin scaled.</summary>
    Yarn,
}
