using Slm.Engine.Kernels;

namespace Slm.Engine.Experts;

/// <summary>How a group of experts is set up.</summary>
public sealed record ExpertGroupOptions
{
    /// <summary>Visits that are computed at a time, which decides the scratch memory; a call with more of them goes in turns.</summary>
    public int MaxVisits { get; init; } = 2048;

    /// <summary>Kernels; the best ones for this processor unless a test says otherwise.</summary>
    internal KernelSet Kernels { get; init; } = KernelSet.Best;
}
