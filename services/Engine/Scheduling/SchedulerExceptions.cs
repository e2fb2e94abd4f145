using System.Globalization;

namespace Slm.Engine.Scheduling;

/// <summary>A prompt does not fit in the context.</summary>
public sealed class ContextLengthExceededException(int promptTokens, int contextLength) : ArgumentException(
    string.Create(CultureInfo.InvariantCulture, $"The prompt has {promptTokens} tokens, and with the answer it must fit in the context of {contextLength} tokens."))
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; } = promptTokens;

    /// <summary>Most tokens of prompt and answer together.</summary>
    public int ContextLength { get; } = contextLength;
}

/// <summary>Too many requests are waiting; nothing was started.</summary>
public sealed class CapacityExceededException(int waiting, TimeSpan retryAfter) : Exception(
    string.Create(CultureInfo.InvariantCulture, $"{waiting} requests are already waiting. Retry in {retryAfter.TotalSeconds:0} s."))
{
    /// <summary>When trying again is likely to succeed, from the recent pace of the server.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}

/// <summary>A step failed in the pipeline; the requests of that step end with this, others go on.</summary>
public sealed class PipelineFailedException(string message, Exception inner) : Exception(message, inner);

/// <summary>The scheduler was shut down before the request ended.</summary>
public sealed class SchedulerStoppedException() : Exception("The model is being unloaded.");
