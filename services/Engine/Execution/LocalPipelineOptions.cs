using Slm.Engine.Experts;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Execution;

/// <summary>How a model is set up in this process.</summary>
public sealed record LocalPipelineOptions
{
    /// <summary>Number of stages the layers are split into; the result does not depend on it.</summary>
    public int Stages { get; init; } = 1;

    /// <summary>Threads of the pipeline's own pool; not used with <see cref="Workers"/>.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>A pool to share with other pipelines; the caller disposes it.</summary>
    public WorkerPool? Workers { get; init; }

    /// <summary>Bytes for keys, values and recurrent state of all stages; by default four full contexts, at most a quarter of the free memory.</summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>Positions of all sequences that keys and values are kept for, instead of <see cref="KvCacheBytes"/>.</summary>
    public long? KvPositions { get; init; }

    /// <summary>What keys and values are kept as; by default what suits the model, see <see cref="ModelFile.KvType"/>.</summary>
    public KvType? KvType { get; init; }

    /// <summary>Slots of recurrent state, beside <see cref="KvCacheBytes"/>; by default a share of those bytes. Not used by a model without recurrent layers.</summary>
    public int? StateSlots { get; init; }

    /// <summary>Longest sequence, at most the model's; by default the model's.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Most tokens one step may carry; more where the model reads texts as a whole that are longer.</summary>
    public int MaxStepTokens { get; init; } = 512;

    /// <summary>Positions per KV block, a multiple of 32.</summary>
    public int BlockSize { get; init; } = 32;

    /// <summary>
    /// Most memory for experts, which are then read from the file when tokens visit them; null keeps all of them in memory. The
    /// results are the same. Without effect on models that have no experts.
    /// </summary>
    public long? ExpertMemory { get; init; }

    /// <summary>Read experts as soon as a router has chosen them, where it comes before attention.</summary>
    public bool ExpertPrefetch { get; init; } = true;

    /// <summary>See <see cref="StageOptions.RoundedResidual"/>.</summary>
    public bool RoundedResidual { get; init; }

    /// <summary>Sees the inputs of every matrix product; none by default, which costs nothing.</summary>
    public IInputObserver? Observer { get; init; }

    /// <summary>Kernels; the best ones for this processor unless a test says otherwise.</summary>
    internal KernelSet Kernels { get; init; } = KernelSet.Best;

    /// <summary>Groups that hold experts of all stages, for tests and measurements.</summary>
    internal RemoteExperts? RemoteExperts { get; init; }

    /// <summary>What a test or a measurement changes of the experts' cache.</summary>
    internal Func<ExpertCacheOptions, ExpertCacheOptions> ExpertOptions { get; init; } = static options => options;
}
