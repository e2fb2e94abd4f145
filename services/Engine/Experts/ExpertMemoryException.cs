namespace Slm.Engine.Experts;

/// <summary>The memory for experts does not hold the experts of one token.</summary>
/// <param name="message">What is needed.</param>
/// <param name="leastBytes">The least memory that would do.</param>
public sealed class ExpertMemoryException(string message, long leastBytes) : Exception(message)
{
    /// <summary>The least memory that would do.</summary>
    public long LeastBytes { get; } = leastBytes;
}
