using Slm.Engine.Experts;
using Slm.Engine.Kernels;

namespace Slm.Engine.Execution;

/// <summary>How a stage is set up.</summary>
public sealed record StageOptions
{
    /// <summary>Positions per KV block, a multiple of 32.</summary>
    public int BlockSize { get; init; } = 32;

    /// <summary>Number of KV blocks. Memory is committed as they are first used.</summary>
    public required int BlockCount { get; init; }

    /// <summary>What keys and values are kept as; by default what suits the model.</summary>
    public KvType? KvType { get; init; }

    /// <summary>Slots for the state of recurrent layers; not used by a model without them.</summary>
    public int StateSlots { get; init; }

    /// <summary>Most tokens one step may carry.</summary>
    public int MaxStepTokens { get; init; } = 512;

    /// <summary>
    /// Most memory for experts, which are then read from the file when tokens visit them; null keeps all of them in memory. The
    /// results are the same. Without effect on models that have no experts.
    /// </summary>
    public long? ExpertMemory { get; init; }

    /// <summary>Read experts as soon as a router has chosen them, where it comes before attention.</summary>
    public bool ExpertPrefetch { get; init; } = true;

    /// <summary>
    /// Where the experts are that other processes hold; null if the stage holds all. The results are the same, up to the format in
    /// which rows travel. Not together with <see cref="ExpertMemory"/>.
    /// </summary>
    public RemoteExperts? RemoteExperts { get; init; }

    /// <summary>
    /// Round the residual stream behind every layer, and rows to and from experts, to 16 bits, so that they can travel as such
    /// between stages and groups of experts without changing anything.
    /// </summary>
    public bool RoundedResidual { get; init; }

    /// <summary>Sees the inputs of every matrix product; none by default, which costs nothing.</summary>
    public IInputObserver? Observer { get; init; }

    /// <summary>Kernels; the best ones for this processor unless a test says otherwise.</summary>
    internal KernelSet Kernels { get; init; } = KernelSet.Best;

    /// <summary>What a test or a measurement changes of the experts' cache.</summary>
    internal Func<ExpertCacheOptions, ExpertCacheOptions> ExpertOptions { get; init; } = static options => options;
}
