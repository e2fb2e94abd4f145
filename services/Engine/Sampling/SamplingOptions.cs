namespace Slm.Engine.Sampling;

/// <summary>How the next token is chosen. The ranges are those of <c>slm.v1.SamplingOptions</c>.</summary>
public sealed record SamplingOptions
{
    /// <summary>Most entries a <see cref="LogitBias"/> may have.</summary>
    public const int MaxLogitBiases = 1024;

    /// <summary>Most entries of <see cref="StopTokenIds"/>.</summary>
    public const int MaxStopTokenIds = 64;

    /// <summary>Most alternatives per position.</summary>
    public const int MaxTopLogProbs = 20;

    /// <summary>Most tokens to generate; null: until the end of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>0 takes the most probable token (the lowest id of equals). 0 to 100.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keeps the k most probable tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of most probable tokens whose probabilities reach this sum; in (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Drops tokens less probable than this share of the most probable one; in [0, 1).</summary>
    public float MinP { get; init; }

    /// <summary>Seed of the draws; null: the scheduler draws one and reports it.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Tokens that end the answer, also with <see cref="IgnoreEos"/>.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Logits of tokens of prompt and answer are divided by it where positive, multiplied where negative.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of every token of the answer so far; in [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted once per occurrence in the answer so far; in [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to logits by token id; values in [-100, 100].</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = System.Collections.Immutable.ImmutableDictionary<int, float>.Empty;

    /// <summary>Report the log-probability of each token.</summary>
    public bool LogProbs { get; init; }

    /// <summary>With <see cref="LogProbs"/>: how many of the most probable tokens to report per position, 0 to 20.</summary>
    public int TopLogProbs { get; init; }

    /// <summary>Go on after an end-of-sequence token.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Throws unless every value is in its range.</summary>
    /// <param name="vocabSize">Token ids must be below it; null leaves that unchecked.</param>
    /// <exception cref="SamplingOptionException">Names the field as the contract spells it, and the value.</exception>
    public void Validate(int? vocabSize = null)
    {
        if (MaxTokens is { } max)
            Require(max >= 0, "max_tokens", max, "at least 0");
        Require(Temperature is >= 0 and <= 100, "temperature", Temperature, "in 0 to 100");
        Require(TopK >= 0, "top_k", TopK, "at least 0 (0 keeps all tokens)");
        Require(TopP is > 0 and <= 1, "top_p", TopP, "above 0 and at most 1");
        Require(MinP is >= 0 and < 1, "min_p", MinP, "at least 0 and below 1");
        Require(RepetitionPenalty is > 0 and <= 100, "repetition_penalty", RepetitionPenalty, "above 0 and at most 100");
        Require(PresencePenalty is >= -2 and <= 2, "presence_penalty", PresencePenalty, "in -2 to 2");
        Require(FrequencyPenalty is >= -2 and <= 2, "frequency_penalty", FrequencyPenalty, "in -2 to 2");
        Require(TopLogProbs is >= 0 and <= MaxTopLogProbs, "top_logprobs", TopLogProbs, $"in 0 to {MaxTopLogProbs}");
        Require(StopTokenIds.Count <= MaxStopTokenIds, "stop_token_ids", StopTokenIds.Count, $"at most {MaxStopTokenIds} entries");
        Require(LogitBias.Count <= MaxLogitBiases, "logit_bias", LogitBias.Count, $"at most {MaxLogitBiases} entries");
        var end = vocabSize ?? int.MaxValue;
        foreach (var id in StopTokenIds)
            Require(id >= 0 && id < end, "stop_token_ids", id, vocabSize is null ? "at least 0" : $"in 0 to {end - 1}");
        foreach (var (id, bias) in LogitBias)
        {
            Require(id >= 0 && id < end, "logit_bias", id, vocabSize is null ? "keyed by ids of at least 0" : $"keyed by ids in 0 to {end - 1}");
            Require(bias is >= -100 and <= 100, "logit_bias", bias, $"in -100 to 100 (token {id})");
        }
    }

    private static void Require(bool valid, string field, object value, string rule)
    {
        if (!valid)
            throw new SamplingOptionException(field, value, rule);
    }
}
