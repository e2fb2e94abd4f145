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

/// <summary>The time a request was given has passed; what it had produced is lost.</summary>
public sealed class DeadlineExceededException(TimeSpan timeout, bool started) : Exception(string.Create(
    CultureInfo.InvariantCulture, $"The request did not end within {timeout.TotalMilliseconds:0} ms; it was {(started ? "running" : "waiting")} when its time was up."))
{
    /// <summary>The time it had.</summary>
    public TimeSpan Timeout { get; } = timeout;

    /// <summary>Whether the model had begun to work on it.</summary>
    public bool Started { get; } = started;
}

/// <summary>There is more work already than is sensible to accept; nothing was started.</summary>
public sealed class CapacityExceededException : Exception
{
    /// <summary>Too many requests are waiting.</summary>
    public CapacityExceededException(int waiting, TimeSpan retryAfter)
        : base(string.Create(CultureInfo.InvariantCulture, $"{waiting} requests are already waiting. Retry in {retryAfter.TotalSeconds:0} s.")) =>
        RetryAfter = retryAfter;

    /// <summary>The accepted requests need too much memory.</summary>
    /// <param name="demand">Tokens that the accepted requests are predicted to have in the end.</param>
    /// <param name="capacity">Tokens that the KV cache holds.</param>
    /// <param name="retryAfter">When trying again is likely to succeed.</param>
    public CapacityExceededException(long demand, long capacity, TimeSpan retryAfter)
        : base(string.Create(
            CultureInfo.InvariantCulture,
            $"The requests accepted already are predicted to need memory for {demand} tokens; the cache holds {capacity} at a time. Retry in {retryAfter.TotalSeconds:0} s.")) =>
        RetryAfter = retryAfter;

    /// <summary>When trying again is likely to succeed, from the recent pace of the server.</summary>
    public TimeSpan RetryAfter { get; }
}

/// <summary>No adapter of that name is loaded.</summary>
public sealed class AdapterNotFoundException(string name, IReadOnlyList<string> known) : Exception(known.Count == 0
    ? $"No adapter \"{name}\" is loaded with the model, nor any other; load it first."
    : $"No adapter \"{name}\" is loaded with the model. There are: {string.Join(", ", known)}.")
{
    /// <summary>What was asked for.</summary>
    public string Name { get; } = name;

    /// <summary>The names there are.</summary>
    public IReadOnlyList<string> Known { get; } = known;
}

/// <summary>As many adapters are loaded as the model takes.</summary>
public sealed class AdapterLimitException(int limit, IReadOnlyList<string> loaded) : Exception(limit == 0
    ? "The model takes no adapters."
    : $"The model holds {limit} adapters at a time; unload one of {string.Join(", ", loaded)}, or wait until one that is being unloaded is free.")
{
    /// <summary>Most adapters at a time.</summary>
    public int Limit { get; } = limit;
}

/// <summary>The model is not made for what was asked of it, as an encoder is not made for generating text.</summary>
public sealed class ModelTaskException(string message) : Exception(message)
{
    /// <summary>Throws unless the model continues a text token by token, without an encoder before it.</summary>
    /// <exception cref="ModelTaskException">It does not.</exception>
    public static void RequireDecoder(Models.ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (!config.IsCausal)
            throw Encoder(config);
        if (config.Encoder is not null)
            throw new ModelTaskException($"The model is an encoder-decoder ('{config.Architecture}'); this is for models that continue a text.");
    }

    /// <summary>The model has no next token.</summary>
    internal static ModelTaskException Encoder(Models.ModelConfig config) =>
        new($"The model is an encoder ('{config.Architecture}'), which makes embeddings: it neither generates nor scores text.");
}

/// <summary>A step failed in the pipeline; the requests of that step end with this, others go on.</summary>
public sealed class PipelineFailedException(string message, Exception inner) : Exception(message, inner);

/// <summary>The scheduler was shut down before the request ended.</summary>
public sealed class SchedulerStoppedException() : Exception("The model is being unloaded.");
