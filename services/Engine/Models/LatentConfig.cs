namespace Slm.Engine.Models;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, 2024): keys and values of all heads come from one vector per position, beside
/// which one rotated key part is shared by all heads. A head's query and key are a plain part and a rotated one.
/// </summary>
public sealed record LatentConfig
{
    /// <summary>Elements of the vector that keys and values come from.</summary>
    public required int KeyValueRank { get; init; }

    /// <summary>Elements of the vector that queries come from; 0 if they come straight from the residual stream.</summary>
    public int QueryRank { get; init; }

    /// <summary>Elements of a head's query or key that are not rotated.</summary>
    public required int PlainSize { get; init; }

    /// <summary>Elements of a head's query or key that are rotated.</summary>
    public required int RotatedSize { get; init; }

    /// <summary>Elements of a head's value.</summary>
    public required int ValueSize { get; init; }

    /// <summary>What is kept of a position: the vector with its rotated part, as one key and value of all heads.</summary>
    public AttentionShape Shape(int heads) => new(heads, 1, KeyValueRank + RotatedSize, KeyValueRank);
}
