namespace Slm.Training.Model;

/// <summary>Sizes of a llama-family model: RMSNorm, rotary positions in neighbouring pairs, SwiGLU, tied embedding.</summary>
public sealed record ModelShape
{
    /// <summary>Vocabulary entries, a multiple of 16.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width of the residual stream, a multiple of 32.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Query heads; the head size is <see cref="HiddenSize"/> divided by it, a multiple of 32.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key/value heads (grouped-query attention), a divisor of <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Width of the feed-forward layer, a multiple of 32.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Longest sequence, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public float RopeBase { get; init; } = 10_000;

    /// <summary>Epsilon of RMSNorm.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Elements of one head.</summary>
    public int HeadSize => HiddenSize / HeadCount;

    /// <summary>Rows of the fused query, key and value projection.</summary>
    public int AttentionRows => (HeadCount + 2 * KeyValueHeadCount) * HeadSize;
}
