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

    /// <summary>Width of the feed-forward layer.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Number of query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Number of key/value heads (GQA); equals <see cref="HeadCount"/> for MHA.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Elements per head of queries and keys.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Number of vocabulary entries.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Longest sequence the model was made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Epsilon of RMSNorm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Rotary embedding.</summary>
    public required RopeConfig Rope { get; init; }
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
