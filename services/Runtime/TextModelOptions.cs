using Slm.Engine.Execution;
using Slm.Engine.Scheduling;

namespace Slm.Runtime;

/// <summary>How a model is opened and served.</summary>
public sealed record TextModelOptions
{
    /// <summary>Name in metrics; null: the file's.</summary>
    public string? Name { get; init; }

    /// <summary>Most tokens of prompt and answer; null: what the model was made for.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Memory for the KV cache of all sequences; null: the pipeline's default.</summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>What keys and values are kept as; null: what suits the model.</summary>
    public KvType? KvType { get; init; }

    /// <summary>Memory for the experts of a mixture, which are then read from the file when tokens visit them; null: all stay in memory.</summary>
    public long? ExpertMemory { get; init; }

    /// <summary>Number of pipeline stages in this process; the result is the same for each.</summary>
    public int Stages { get; init; } = 1;

    /// <summary>Threads that compute; null: one per processor.</summary>
    public int? Threads { get; init; }

    /// <summary>File of a smaller model with the same vocabulary, which proposes tokens; null: none. With one, speculation defaults to it.</summary>
    public string? DraftModel { get; init; }

    /// <summary>Limits of the scheduler. Its model name and context length are set from the above.</summary>
    public SchedulerOptions Scheduler { get; init; } = new();

    /// <summary>Clock for timings.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
