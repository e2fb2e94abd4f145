using Slm.Engine.Scheduling;

namespace Slm.Runtime;

/// <summary>A piece of an answer, or of the echoed prompt.</summary>
public sealed record TextChunk
{
    /// <summary>Text that is certain: whole code points, and no start of a stop string.</summary>
    public string Text { get; init; } = "";

    /// <summary>Tokens that have become visible; tokens that lie wholly behind a stop string never do. The end token is one of them, without text.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>If asked for, one entry per token of <see cref="TokenIds"/>.</summary>
    public IReadOnlyList<TokenLogProb> LogProbs { get; init; } = [];

    /// <summary>Set on the last chunk.</summary>
    public FinishKind? Finish { get; init; }

    /// <summary>The stop string that ended the answer.</summary>
    public string? StopMatch { get; init; }

    /// <summary>Set on the last chunk.</summary>
    public TextUsage? Usage { get; init; }

    /// <summary>True where the chunk is the echoed prompt.</summary>
    public bool IsPrompt { get; init; }
}

/// <summary>What a request cost, and what reproduces it.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens generated, with the end token and with those that a stop string hid.</param>
/// <param name="CachedPromptTokens">Prompt tokens that did not have to be computed.</param>
/// <param name="Seed">With it the same request gives the same tokens.</param>
/// <param name="QueueMs">Waiting for a place in the batch.</param>
/// <param name="PrefillMs">From there to the first token.</param>
/// <param name="DecodeMs">From the first token to the last.</param>
/// <param name="SystemFingerprint">Names the model and the numerics.</param>
/// <param name="DraftedTokens">Tokens proposed by speculation.</param>
/// <param name="AcceptedTokens">How many of them were right.</param>
public sealed record TextUsage(
    int PromptTokens,
    int CompletionTokens,
    int CachedPromptTokens,
    ulong Seed,
    double QueueMs,
    double PrefillMs,
    double DecodeMs,
    string SystemFingerprint,
    int DraftedTokens = 0,
    int AcceptedTokens = 0);

/// <summary>A token with its log-probability from the unmodified distribution.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="Bytes">The bytes it stands for.</param>
/// <param name="Piece">The same as text; bytes that are no UTF-8 by themselves as <c>bytes:\xe2\x80</c>, so that different tokens stay different.</param>
/// <param name="LogProb">Natural logarithm; null for the first token of a prompt.</param>
/// <param name="Top">The most probable tokens at this position.</param>
/// <param name="Forced">A constraint left no other token.</param>
public sealed record TokenLogProb(int TokenId, ReadOnlyMemory<byte> Bytes, string Piece, float? LogProb, IReadOnlyList<TopTokenLogProb> Top, bool Forced = false);

/// <summary>One of the most probable tokens at a position.</summary>
public sealed record TopTokenLogProb(int TokenId, ReadOnlyMemory<byte> Bytes, string Piece, float LogProb);

/// <summary>Log-probabilities of a continuation.</summary>
/// <param name="Tokens">One entry per token of the continuation.</param>
/// <param name="SumLogProb">Their sum.</param>
/// <param name="IsGreedy">True if greedy decoding from the context gives exactly the continuation.</param>
/// <param name="ContextTokens">Tokens of the context.</param>
public sealed record TextScore(IReadOnlyList<TokenLogProb> Tokens, double SumLogProb, bool IsGreedy, int ContextTokens);

/// <summary>Vectors of several texts, in their order.</summary>
/// <param name="Vectors">One per text, [hidden or the dimensions asked for].</param>
/// <param name="PromptTokens">Tokens of all texts together.</param>
public sealed record TextEmbeddings(IReadOnlyList<float[]> Vectors, int PromptTokens);
