namespace Slm.Engine.Speculation;

/// <summary>
/// Who proposes tokens that the model then checks several at a time. A proposal is accepted if it is the token that the
/// model's own draw for (seed, position) gives at that place, so answers are those without speculation, token for token, at
/// every temperature and with penalties, biases and seeds.
/// </summary>
/// <remarks>
/// Given a proposal x this accepts with probability p(x), and what replaces a rejected one is distributed as p without x:
/// the rejection sampling of Leviathan et al. 2023 (arXiv 2211.17192) for a proposal that is certain. A draft model draws
/// with the same seed and position, which makes its choice the model's own where their distributions agree.
/// </remarks>
public enum SpeculationKind
{
    /// <summary>Nobody: one token per step.</summary>
    None,

    /// <summary>The text itself: what followed the last tokens where they stood before (prompt lookup, Saxena 2023).</summary>
    NGram,

    /// <summary>A smaller model with the same vocabulary.</summary>
    Draft,
}
