namespace Slm.Engine.Experts;

/// <summary>What a cache of experts has done so far.</summary>
public sealed record ExpertCacheStats
{
    /// <summary>Experts that the model's layers have, all together.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts that fit into memory at a time.</summary>
    public required int Slots { get; init; }

    /// <summary>Memory taken: slots and the readers' staging memory.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Visited experts that were in memory when the router chose them.</summary>
    public required long Hits { get; init; }

    /// <summary>Visited experts that were not.</summary>
    public required long Misses { get; init; }

    /// <summary>Bytes of experts read from the file.</summary>
    public required long BytesRead { get; init; }

    /// <summary>Time in which steps waited for experts.</summary>
    public required TimeSpan Stalled { get; init; }

    /// <summary>What decides which experts stay.</summary>
    public required string Policy { get; init; }

    /// <summary>How the file is read.</summary>
    public required string Reading { get; init; }

    /// <summary>Share of visited experts that were in memory.</summary>
    public double HitRate => Hits + Misses == 0 ? 0 : (double)Hits / (Hits + Misses);
}
