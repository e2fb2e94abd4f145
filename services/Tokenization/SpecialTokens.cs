using System.Collections.Frozen;

namespace Slm.Tokenization;

/// <summary>Ids with a meaning of their own; null where the model has none.</summary>
public sealed record SpecialTokens
{
    public int? Bos { get; init; }

    public int? Eos { get; init; }

    public int? Pad { get; init; }

    public int? Unk { get; init; }

    /// <summary>Ids that end a generation: EOS, end of turn, end of message.</summary>
    public IReadOnlySet<int> EndTokens { get; init; } = FrozenSet<int>.Empty;

    /// <summary>Whether encoding with special tokens puts BOS first.</summary>
    public bool AddsBos { get; init; }

    /// <summary>Whether encoding with special tokens puts EOS last.</summary>
    public bool AddsEos { get; init; }
}
