namespace Slm.Engine.Experts;

/// <summary>How a stage keeps its experts.</summary>
internal sealed record ExpertCacheOptions
{
    /// <summary>Memory for experts, the staging memory of the readers included.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Read past the page cache where the system can.</summary>
    public bool DirectReads { get; init; } = true;

    /// <summary>Makes the policy for so many layers of so many experts.</summary>
    public Func<int, int, IExpertPolicy> Policy { get; init; } = static (layers, experts) => new LearnedPolicy(layers, experts);

    /// <summary>Begin to read as soon as a router before attention has chosen.</summary>
    public bool Prefetch { get; init; } = true;

    /// <summary>Called before an expert's matrix is read, with layer and expert: a test can wait or throw there.</summary>
    public Action<int, int>? Reading { get; init; }
}
