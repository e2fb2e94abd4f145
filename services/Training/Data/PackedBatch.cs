namespace Slm.Training.Data;

/// <summary>
/// Documents laid one after the other in a fixed number of tokens. Tokens outside every segment are padding.
/// </summary>
/// <param name="Tokens">[capacity] input tokens.</param>
/// <param name="Targets">[capacity] the token that follows each, −1 where none counts.</param>
/// <param name="Segments">Documents, in order; attention stays inside one and its positions start at 0.</param>
public sealed record PackedBatch(int[] Tokens, int[] Targets, IReadOnlyList<Segment> Segments)
{
    /// <summary>Number of targets that count.</summary>
    public int TargetCount { get; } = Targets.Count(t => t >= 0);
}

/// <summary>One document inside a batch.</summary>
public readonly record struct Segment(int Start, int Length);
