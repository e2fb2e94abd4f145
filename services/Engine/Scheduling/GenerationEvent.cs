using Slm.Engine.Sampling;

namespace Slm.Engine.Scheduling;

/// <summary>Why an answer ended.</summary>
public enum FinishKind
{
    /// <summary>An end token or a stop token, which is the event's token.</summary>
    Stop,

    /// <summary>The wanted number of tokens, or the end of the context.</summary>
    Length,
}

/// <summary>A token with the log-probability the model gave it.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="LogProb">From the unmodified distribution; null where not asked for, and for the first token of a prompt.</param>
/// <param name="Top">The most probable tokens at this position, most probable first; empty where not asked for.</param>
/// <param name="Forced">A constraint left no other token; set where log-probabilities are asked for.</param>
public sealed record TokenResult(int TokenId, float? LogProb, IReadOnlyList<TokenProbability> Top, bool Forced = false);

/// <summary>
/// One thing that happened to a request. Prompt log-probabilities come first, then a token at a time; the last event has
/// <see cref="Finish"/>.
/// </summary>
public sealed record GenerationEvent
{
    /// <summary>The prompt with its log-probabilities, if asked for: one entry per prompt token.</summary>
    public IReadOnlyList<TokenResult>? Prompt { get; init; }

    /// <summary>The next token of the answer.</summary>
    public TokenResult? Token { get; init; }

    /// <summary>Set on the last event.</summary>
    public FinishKind? Finish { get; init; }

    /// <summary>The time so far.</summary>
    public required GenerationTimings Timings { get; init; }
}

/// <summary>Where the time of a request went, and what reproduces it.</summary>
/// <param name="Queue">From submission until the first step that worked on it.</param>
/// <param name="Prefill">From there to the first token.</param>
/// <param name="Decode">From the first token to the newest.</param>
/// <param name="Seed">Seed of the draws: with it the same request gives the same tokens.</param>
/// <param name="Preemptions">How often the sequence lost its KV blocks and was computed again.</param>
/// <param name="ReusedPromptTokens">Prompt tokens that did not have to be computed.</param>
/// <param name="DraftedTokens">Tokens that were proposed by speculation.</param>
/// <param name="AcceptedTokens">How many of them were right.</param>
/// <param name="Adapter">The adapter that was used; null: none.</param>
public sealed record GenerationTimings(
    TimeSpan Queue, TimeSpan Prefill, TimeSpan Decode, ulong Seed, int Preemptions, int ReusedPromptTokens, int DraftedTokens, int AcceptedTokens, AdapterInfo? Adapter = null);

/// <summary>Log-probabilities of a given continuation.</summary>
/// <param name="Tokens">One entry per token of the continuation.</param>
/// <param name="SumLogProb">Their sum, in double, first to last.</param>
/// <param name="IsGreedy">True if each token is the most probable one (of equals the lowest id) after those before it.</param>
public sealed record ScoreResult(IReadOnlyList<TokenResult> Tokens, double SumLogProb, bool IsGreedy);

/// <summary>How the hidden states of a text become one vector.</summary>
public enum PoolingKind
{
    /// <summary>Mean over all tokens.</summary>
    Mean,

    /// <summary>The last token's.</summary>
    Last,

    /// <summary>The first token's.</summary>
    Cls,
}
