using Slm.Engine.Constraints;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;

namespace Slm.Runtime;

/// <summary>A prompt and how to continue it.</summary>
public sealed record TextRequest
{
    /// <summary>Most stop strings.</summary>
    public const int MaxStops = 16;

    /// <summary>Longest stop string, in UTF-16 units.</summary>
    public const int MaxStopChars = 1000;

    /// <summary>What to continue.</summary>
    public required TextPrompt Prompt { get; init; }

    /// <summary>
    /// What the encoder of an encoder-decoder model reads, so that <see cref="Prompt"/> is the decoder's, as it is; null: the
    /// encoder reads <see cref="Prompt"/>, and the decoder starts with the model's start token.
    /// </summary>
    public IReadOnlyList<int>? EncoderTokens { get; init; }

    /// <summary>How tokens are chosen. <c>MaxTokens</c> of 0 needs <see cref="Echo"/>.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Give the prompt back first; with log-probabilities if they are asked for.</summary>
    public bool Echo { get; init; }

    /// <summary>Keep the matched stop string, or the text of the end token, in the answer.</summary>
    public bool IncludeStopInOutput { get; init; }

    /// <summary>Leave control tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>
    /// Tokens of the answer that the caller has already: all <see cref="TextChunk.TokenIds"/> of the chunks it received,
    /// without the echoed prompt. What follows is the rest of that answer, if the request is the same and so is
    /// the seed. The prompt is not echoed again.
    /// </summary>
    public IReadOnlyList<int> ResumeTokens { get; init; } = [];

    /// <summary>
    /// UTF-8 bytes of the <see cref="TextChunk.Text"/> of those chunks: the text goes on behind them. It says how much was held back for
    /// stop strings, which the tokens do not.
    /// </summary>
    public int ResumeTextBytes { get; init; }

    /// <summary>What the answer's text must be; null: anything. Log-probabilities stay those of the model without it.</summary>
    public ConstraintSource? Constraint { get; init; }

    /// <summary>Who proposes tokens; null: what the model was opened with. The answer does not depend on it.</summary>
    public SpeculationKind? Speculation { get; init; }

    /// <summary>Tokens that the answer may consist of, proposed instead of what <see cref="Speculation"/> would propose. The answer does not depend on them.</summary>
    public IReadOnlyList<int> DraftTokens { get; init; } = [];

    /// <summary>Name of a loaded adapter; null: the model as it is.</summary>
    public string? Adapter { get; init; }

    /// <summary>How it shares the model with other requests.</summary>
    public RequestTerms Terms { get; init; } = RequestTerms.Default;

    internal void Validate(int vocabSize)
    {
        Sampling.Validate(vocabSize);
        if (Sampling.MaxTokens == 0 && !Echo)
            throw new SamplingOptionException("max_tokens", 0, "at least 1 unless echo is set");
        if (ResumeTextBytes < 0 || (ResumeTextBytes > 0 && ResumeTokens.Count == 0))
            throw new SamplingOptionException("resume_text_bytes", ResumeTextBytes, "at least 0, and 0 without resume_token_ids");
        if (Stop.Count > MaxStops)
            throw new SamplingOptionException("stop", Stop.Count, $"a list of at most {MaxStops} strings");
        foreach (var stop in Stop)
        {
            if (string.IsNullOrEmpty(stop) || stop.Length > MaxStopChars)
                throw new SamplingOptionException("stop", $"\"{stop}\"", $"of strings of 1 to {MaxStopChars} characters");
        }
    }
}
