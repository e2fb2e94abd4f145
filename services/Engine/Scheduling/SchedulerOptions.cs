using Slm.Engine.Speculation;

namespace Slm.Engine.Scheduling;

/// <summary>Limits of a scheduler.</summary>
public sealed record SchedulerOptions
{
    /// <summary>Name of the model, for metrics.</summary>
    public string Model { get; init; } = "model";

    /// <summary>Sequences that may be in the batch at a time.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Requests that may wait beyond those; more are refused with <see cref="CapacityExceededException"/>.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>
    /// KV memory that all accepted requests together may be predicted to need, as a multiple of the KV cache; more are
    /// refused with <see cref="CapacityExceededException"/>. A request is always accepted if there is no other.
    /// </summary>
    public double MaxDemand { get; init; } = 16;

    /// <summary>
    /// Share of the memory that running answers are predicted to still need that is kept for them when another request is
    /// admitted, 0 to 1. Less admits more at a time and makes them wait for each other's blocks more often.
    /// </summary>
    public double GrowthReserve { get; init; } = 1;

    /// <summary>
    /// Most prompt tokens per step while answers are being generated: how long a prompt can hold a stream up. Without
    /// answers to hold up a step takes as many as it can.
    /// </summary>
    public int ChunkTokens { get; init; } = 64;

    /// <summary>Most tokens per step; null: what the pipeline takes.</summary>
    public int? MaxStepTokens { get; init; }

    /// <summary>Most tokens of prompt and answer; null: what the model was made for. Never more than the KV cache holds.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Most rows of logits per step, which bounds that buffer; null: about 64 MiB of them.</summary>
    public int? MaxLogitRows { get; init; }

    /// <summary>
    /// Keep the keys and values of what has been computed, while there is room, and use them for requests that begin alike.
    /// Answers are the same bits either way.
    /// </summary>
    public bool PrefixSharing { get; init; } = true;

    /// <summary>Who proposes tokens where a request does not say.</summary>
    public SpeculationKind Speculation { get; init; }

    /// <summary>Most tokens proposed per sequence and step, 1 to 64.</summary>
    public int DraftTokens { get; init; } = 8;

    /// <summary>Events kept for a consumer that is slower than the model, before its sequence pauses.</summary>
    public int EventBuffer { get; init; } = 64;

    /// <summary>How long disposal lets running requests go on before it ends them.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Throws unless every value is in its range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names the setting.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRunning, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxWaiting);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxStepTokens ?? 1, 1, nameof(MaxStepTokens));
        ArgumentOutOfRangeException.ThrowIfLessThan(ContextLength ?? 1, 1, nameof(ContextLength));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxLogitRows ?? 1, 1, nameof(MaxLogitRows));
        ArgumentOutOfRangeException.ThrowIfLessThan(EventBuffer, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(ChunkTokens, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(DraftTokens is >= 1 and <= 64, true, nameof(DraftTokens));
        ArgumentOutOfRangeException.ThrowIfNotEqual(GrowthReserve is >= 0 and <= 1, true, nameof(GrowthReserve));
        ArgumentOutOfRangeException.ThrowIfNotEqual(MaxDemand > 0, true, nameof(MaxDemand));
        ArgumentOutOfRangeException.ThrowIfLessThan(DrainTimeout, TimeSpan.Zero);
    }
}

/// <summary>What a scheduler is doing and has done.</summary>
/// <param name="Running">Sequences in the batch.</param>
/// <param name="Waiting">Requests that hold no KV blocks yet, or no more.</param>
/// <param name="KvBlocksUsed">KV blocks that sequences hold.</param>
/// <param name="KvBlocksIdle">KV blocks that nobody holds, kept for requests that begin alike.</param>
/// <param name="KvBlocksTotal">KV blocks of the pipeline.</param>
/// <param name="GeneratedTokens">Tokens generated since the start.</param>
/// <param name="PromptTokens">Prompt tokens computed since the start, again after a preemption.</param>
/// <param name="AdmittedPromptTokens">Tokens of the prompts that were looked up among those computed before.</param>
/// <param name="ReusedPromptTokens">How many of them did not have to be computed.</param>
/// <param name="DraftedTokens">Tokens that were proposed by speculation.</param>
/// <param name="AcceptedTokens">How many of them were right.</param>
/// <param name="Steps">Steps run.</param>
/// <param name="Completed">Requests that came to their end, or whose client had enough.</param>
/// <param name="Cancelled">Requests cancelled by their token.</param>
/// <param name="Failed">Requests that ended with an error.</param>
/// <param name="Expired">Requests whose deadline passed.</param>
/// <param name="Preemptions">Times a sequence lost its KV blocks to an older or more urgent one.</param>
/// <param name="Recoveries">Times the pipeline lost a part and was made whole again.</param>
public readonly record struct SchedulerStats(
    int Running,
    int Waiting,
    int KvBlocksUsed,
    int KvBlocksIdle,
    int KvBlocksTotal,
    long GeneratedTokens,
    long PromptTokens,
    long AdmittedPromptTokens,
    long ReusedPromptTokens,
    long DraftedTokens,
    long AcceptedTokens,
    long Steps,
    long Completed,
    long Cancelled,
    long Failed,
    long Expired,
    long Preemptions,
    long Recoveries)
{
    /// <summary>Share of the KV blocks in use, 0 to 1.</summary>
    public double KvOccupancy => KvBlocksTotal == 0 ? 0 : (double)KvBlocksUsed / KvBlocksTotal;

    /// <summary>Share of proposed tokens that were right, 0 to 1.</summary>
    public double AcceptanceRate => DraftedTokens == 0 ? 0 : (double)AcceptedTokens / DraftedTokens;

    /// <summary>Share of prompt tokens that did not have to be computed, 0 to 1.</summary>
    public double PrefixHitRate => AdmittedPromptTokens == 0 ? 0 : (double)ReusedPromptTokens / AdmittedPromptTokens;
}
