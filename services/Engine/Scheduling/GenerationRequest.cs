using System.Collections.Frozen;
using Slm.Engine.Constraints;
using Slm.Engine.Sampling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Scheduling;

/// <summary>A prompt as token ids, and how to continue it.</summary>
public sealed record GenerationRequest
{
    /// <summary>At least one token. For an encoder-decoder model what the decoder starts with.</summary>
    public required int[] Prompt { get; init; }

    /// <summary>
    /// The beginning of the answer, which was generated before, here or elsewhere, and is not given again: what follows is
    /// what would have followed, if options, seed and model are the same. It counts to <see cref="SamplingOptions.MaxTokens"/>.
    /// </summary>
    public int[] Resume { get; init; } = [];

    /// <summary>What the encoder of an encoder-decoder model reads, at least one token; null for other models.</summary>
    public int[]? EncoderInput { get; init; }

    /// <summary>How tokens are chosen and when to end.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>
    /// With <see cref="SamplingOptions.LogProbs"/>: also report the log-probabilities of the prompt's tokens, before the answer.
    /// </summary>
    public bool EchoPromptLogProbs { get; init; }

    /// <summary>Who proposes tokens; null: <see cref="SchedulerOptions.Speculation"/>. The answer does not depend on it.</summary>
    public SpeculationKind? Speculation { get; init; }

    /// <summary>
    /// Tokens that the answer may consist of, which are checked several at a time instead of what <see cref="Speculation"/> would propose. The
    /// answer does not depend on them.
    /// </summary>
    public int[] Draft { get; init; } = [];

    /// <summary>Name of a loaded adapter that changes the model for it; null: the model as it is. A draft model stays as it is.</summary>
    public string? Adapter { get; init; }

    /// <summary>What its text must be; null: anything. The answer ends where the text is complete and nothing can follow.</summary>
    public TokenConstraint? Constraint { get; init; }

    /// <summary>How it shares the model with other requests.</summary>
    public RequestTerms Terms { get; init; } = RequestTerms.Default;

    /// <summary>Tokens that end the answer unless <see cref="SamplingOptions.IgnoreEos"/>.</summary>
    public IReadOnlySet<int> EndTokens { get; init; } = FrozenSet<int>.Empty;

    /// <summary>Whether a token ends the answer.</summary>
    public bool IsEnd(int token) => (!Sampling.IgnoreEos && EndTokens.Contains(token)) || Sampling.StopTokenIds.Contains(token);
}
