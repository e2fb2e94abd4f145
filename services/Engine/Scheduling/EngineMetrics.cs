using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Slm.Engine.Scheduling;

/// <summary>Names of the engine's metrics. Every measurement carries the tag <see cref="ModelTag"/>.</summary>
public static class EngineMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Slm.Engine";

    /// <summary>Tag with the model's name.</summary>
    public const string ModelTag = "slm.model";

    /// <summary>Sequences in the batch.</summary>
    public const string Running = "slm.engine.sequences.running";

    /// <summary>Requests without KV blocks.</summary>
    public const string Waiting = "slm.engine.sequences.waiting";

    /// <summary>Share of the KV blocks in use.</summary>
    public const string KvOccupancy = "slm.engine.kv.occupancy";

    /// <summary>Tokens computed per step.</summary>
    public const string StepTokens = "slm.engine.step.tokens";

    /// <summary>Sequences per step.</summary>
    public const string StepSequences = "slm.engine.step.sequences";

    /// <summary>Tokens generated.</summary>
    public const string GeneratedTokens = "slm.engine.tokens.generated";

    /// <summary>Prompt tokens computed.</summary>
    public const string PromptTokens = "slm.engine.tokens.prompt";

    /// <summary>Tokens of prompts that were looked up in the prefix cache.</summary>
    public const string PrefixLookups = "slm.engine.prefix.lookups";

    /// <summary>Prompt tokens that the prefix cache had.</summary>
    public const string PrefixHits = "slm.engine.prefix.hits";

    /// <summary>Share of the KV blocks that nobody holds but that are kept for requests that begin alike.</summary>
    public const string KvIdle = "slm.engine.kv.idle";

    /// <summary>Tokens proposed by speculation.</summary>
    public const string DraftedTokens = "slm.engine.tokens.drafted";

    /// <summary>Proposed tokens that were right.</summary>
    public const string AcceptedTokens = "slm.engine.tokens.accepted";

    /// <summary>Requests their client gave up.</summary>
    public const string Cancelled = "slm.engine.requests.cancelled";

    /// <summary>Requests that ended with an error.</summary>
    public const string Failed = "slm.engine.requests.failed";

    /// <summary>Requests whose deadline passed.</summary>
    public const string Expired = "slm.engine.requests.expired";

    /// <summary>Times a sequence lost its KV blocks.</summary>
    public const string Preemptions = "slm.engine.preemptions";

    /// <summary>How long the model paused each time its pipeline had lost a part, until it was whole again.</summary>
    public const string RecoveryDuration = "slm.engine.recovery.duration";

    /// <summary>From submission to the first token (OpenTelemetry semantic conventions for generative AI).</summary>
    public const string TimeToFirstToken = "gen_ai.server.time_to_first_token";

    /// <summary>Mean time per token after the first (OpenTelemetry semantic conventions for generative AI).</summary>
    public const string TimePerOutputToken = "gen_ai.server.time_per_output_token";

    private static readonly ConcurrentDictionary<Scheduler, KeyValuePair<string, object?>> Live = [];
    private static readonly Meter Meter = new(MeterName);

    internal static readonly Histogram<int> StepTokenCounts = Meter.CreateHistogram<int>(StepTokens, "{token}", "Tokens computed per step.");
    internal static readonly Histogram<int> StepSequenceCounts = Meter.CreateHistogram<int>(StepSequences, "{sequence}", "Sequences per step.");
    internal static readonly Counter<long> GeneratedTokenCount = Meter.CreateCounter<long>(GeneratedTokens, "{token}", "Tokens generated.");
    internal static readonly Counter<long> PromptTokenCount = Meter.CreateCounter<long>(PromptTokens, "{token}", "Prompt tokens computed.");
    internal static readonly Counter<long> PrefixLookupCount = Meter.CreateCounter<long>(PrefixLookups, "{token}", "Tokens of prompts that were looked up in the prefix cache.");
    internal static readonly Counter<long> PrefixHitCount = Meter.CreateCounter<long>(PrefixHits, "{token}", "Prompt tokens that the prefix cache had.");
    internal static readonly Counter<long> DraftedTokenCount = Meter.CreateCounter<long>(DraftedTokens, "{token}", "Tokens proposed by speculation.");
    internal static readonly Counter<long> AcceptedTokenCount = Meter.CreateCounter<long>(AcceptedTokens, "{token}", "Proposed tokens that were right.");
    internal static readonly Counter<long> CancelledCount = Meter.CreateCounter<long>(Cancelled, "{request}", "Requests their client gave up.");
    internal static readonly Counter<long> FailedCount = Meter.CreateCounter<long>(Failed, "{request}", "Requests that ended with an error.");
    internal static readonly Counter<long> ExpiredCount = Meter.CreateCounter<long>(Expired, "{request}", "Requests whose deadline passed.");
    internal static readonly Counter<long> PreemptionCount = Meter.CreateCounter<long>(Preemptions, "{preemption}", "Times a sequence lost its KV blocks to another.");
    internal static readonly Histogram<double> RecoverySeconds = Meter.CreateHistogram<double>(RecoveryDuration, "s", "From the loss of a part of the pipeline until it was whole again.");
    internal static readonly Histogram<double> FirstTokenSeconds = Meter.CreateHistogram<double>(TimeToFirstToken, "s", "From submission to the first token.");
    internal static readonly Histogram<double> OutputTokenSeconds = Meter.CreateHistogram<double>(TimePerOutputToken, "s", "Mean time per token after the first.");

    static EngineMetrics()
    {
        Meter.CreateObservableGauge(Running, () => Observe(static s => s.Running), "{sequence}", "Sequences in the batch.");
        Meter.CreateObservableGauge(Waiting, () => Observe(static s => s.Waiting), "{request}", "Requests without KV blocks.");
        Meter.CreateObservableGauge(KvOccupancy, () => Observe(static s => s.KvOccupancy), "1", "Share of the KV blocks in use.");
        Meter.CreateObservableGauge(
            KvIdle, () => Observe(static s => s.KvBlocksTotal == 0 ? 0.0 : (double)s.KvBlocksIdle / s.KvBlocksTotal), "1", "Share of the KV blocks kept for requests that begin alike.");
    }

    internal static KeyValuePair<string, object?> Register(Scheduler scheduler, string model) =>
        Live[scheduler] = new KeyValuePair<string, object?>(ModelTag, model);

    internal static void Unregister(Scheduler scheduler) => Live.TryRemove(scheduler, out _);

    private static IEnumerable<Measurement<T>> Observe<T>(Func<SchedulerStats, T> value)
        where T : struct
    {
        foreach (var (scheduler, tag) in Live)
            yield return new Measurement<T>(value(scheduler.Stats), tag);
    }
}
