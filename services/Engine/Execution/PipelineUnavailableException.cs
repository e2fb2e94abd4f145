namespace Slm.Engine.Execution;

/// <summary>A part of the pipeline is gone and nothing has taken its place. The same request may succeed later, or elsewhere.</summary>
public sealed class PipelineUnavailableException(string message, TimeSpan retryAfter, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>When trying again may succeed.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}
