using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Slm.Engine.Scheduling;
using Slm.Engine.Wire;
using Slm.Inference.Cluster;

namespace Slm.Inference;

/// <summary>Names of the cluster's metrics, and what takes them. Every measurement carries the tag <see cref="ModelTag"/>.</summary>
public static class ClusterMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Slm.Cluster";

    /// <summary>Tag with the model's name.</summary>
    public const string ModelTag = EngineMetrics.ModelTag;

    /// <summary>Tag with the number of the stage.</summary>
    public const string StageTag = "slm.stage";

    /// <summary>Tag with what is held or was replaced: stage, replica or experts.</summary>
    public const string PartTag = "slm.part";

    /// <summary>Tag with why it was replaced: lost, drained or rebalanced.</summary>
    public const string ReasonTag = "slm.reason";

    /// <summary>Tag with how activations are written: f32, f16 or q8.</summary>
    public const string FormatTag = "slm.wire.format";

    /// <summary>Tag with the experts of a group, or of a stage that holds them itself, such as "0, 2".</summary>
    public const string ExpertsTag = "slm.experts";

    /// <summary>Tag with where activations go: same_silo, by reference, or other_silo.</summary>
    public const string HopTag = "slm.hop";

    /// <summary>Tag with what routing found: hit, miss, or overloaded where the replica that has the prefix was too busy.</summary>
    public const string AffinityTag = "slm.affinity";

    /// <summary>Bytes of activations that a stage sent to one on another silo, or that a group of experts took and gave; headers not counted.</summary>
    public const string WireBytes = "slm.cluster.wire";

    /// <summary>Time a stage computed for a step.</summary>
    public const string ComputeDuration = "slm.cluster.stage.compute.duration";

    /// <summary>From the end of that until the next stage had the activations; between silos the mean over a pipeline's stages, of steps that waited for no other.</summary>
    public const string TransferDuration = "slm.cluster.stage.transfer.duration";

    /// <summary>Parts of models that this silo holds.</summary>
    public const string Parts = "slm.cluster.parts";

    /// <summary>Weights of those parts.</summary>
    public const string Weights = "slm.cluster.weights";

    /// <summary>Stages and replicas that others have taken the place of.</summary>
    public const string Replaced = "slm.cluster.replaced";

    /// <summary>Requests by whether they went to the replica that has the beginning of their prompt. A single replica is not counted.</summary>
    public const string Routed = "slm.cluster.routed";

    /// <summary>Visits of tokens to experts, of groups and of stages.</summary>
    public const string ExpertVisits = "slm.cluster.experts.visits";

    /// <summary>Steps and visits to experts that came over direct connections, by kind: pass or call.</summary>
    public const string DirectFrames = "slm.cluster.direct.frames";

    /// <summary>Tag with what came over a direct connection.</summary>
    public const string KindTag = "slm.kind";

    /// <summary>Steps on their way through the stages.</summary>
    public const string StepsInFlight = "slm.cluster.steps.in_flight";

    private static readonly ConcurrentDictionary<SiloParts, bool> Live = [];
    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> WireByteCount = Meter.CreateCounter<long>(WireBytes, "By", "Bytes of activations from stage to stage.");
    private static readonly Histogram<double> ComputeSeconds = Meter.CreateHistogram<double>(ComputeDuration, "s", "Time a stage computed for a step.");
    private static readonly Histogram<double> TransferSeconds = Meter.CreateHistogram<double>(TransferDuration, "s", "Time until the next stage had a step's activations.");
    private static readonly Counter<long> ReplacedCount = Meter.CreateCounter<long>(Replaced, "{part}", "Stages and replicas that were replaced.");
    private static readonly Counter<long> RoutedCount = Meter.CreateCounter<long>(Routed, "{request}", "Requests by whether their replica has the beginning of their prompt.");
    private static readonly Counter<long> VisitCount = Meter.CreateCounter<long>(ExpertVisits, "{visit}", "Visits of tokens to experts.");
    private static readonly Counter<long> DirectCount = Meter.CreateCounter<long>(DirectFrames, "{frame}", "Steps and visits to experts that came over direct connections.");
    private static readonly UpDownCounter<long> StepCount = Meter.CreateUpDownCounter<long>(StepsInFlight, "{step}", "Steps on their way through the stages.");

    static ClusterMetrics()
    {
        Meter.CreateObservableGauge(Parts, () => Observe(static group => group.Count()), "{part}", "Parts of models that the silo holds.");
        Meter.CreateObservableGauge(Weights, () => Observe(static group => group.Sum(part => part.WeightBytes)), "By", "Weights that the silo holds.");
    }

    /// <summary>What a silo holds is reported until <see cref="Unregister"/>.</summary>
    internal static void Register(SiloParts parts) => Live[parts] = true;

    internal static void Unregister(SiloParts parts) => Live.TryRemove(parts, out _);

    /// <summary>A stage has computed a step.</summary>
    internal static void Computed(string model, int stage, TimeSpan took) =>
        ComputeSeconds.Record(took.TotalSeconds, new(ModelTag, model), new(StageTag, stage));

    /// <summary>A stage has handed activations on.</summary>
    internal static void Sent(string model, int stage, int format, long bytes, bool sameSilo, TimeSpan? took)
    {
        if (took is { } time)
            TransferSeconds.Record(time.TotalSeconds, new(ModelTag, model), new(StageTag, stage), new(HopTag, sameSilo ? "same_silo" : "other_silo"));
        if (!sameSilo)
            WireByteCount.Add(bytes, new(ModelTag, model), new(FormatTag, NameOf((WireFormat)format)), new(PartTag, "stage"));
    }

    /// <summary>A step has been passed on over all stages: these have others behind them, which share what it took beside computing.</summary>
    internal static void Passed(string model, IReadOnlyCollection<int> stages, TimeSpan took)
    {
        foreach (var stage in stages)
            TransferSeconds.Record(took.TotalSeconds / stages.Count, new(ModelTag, model), new(StageTag, stage), new(HopTag, "other_silo"));
    }

    /// <summary>A group of experts has computed visits.</summary>
    internal static void Visited(string model, string experts, int visits, int format, long bytes)
    {
        VisitCount.Add(visits, new(ModelTag, model), new(ExpertsTag, experts));
        WireByteCount.Add(bytes, new(ModelTag, model), new(FormatTag, NameOf((WireFormat)format)), new(PartTag, "experts"));
    }

    /// <summary>A stage has computed visits of its own experts.</summary>
    internal static void Visited(string model, string experts, long visits) => VisitCount.Add(visits, new(ModelTag, model), new(ExpertsTag, experts));

    /// <summary>Another part has taken a part's place.</summary>
    internal static void WasReplaced(string model, string part, string reason) =>
        ReplacedCount.Add(1, new(ModelTag, model), new(PartTag, part), new(ReasonTag, reason));

    /// <summary>A request was sent to one of several replicas.</summary>
    internal static void WasRouted(string model, string affinity) => RoutedCount.Add(1, new(ModelTag, model), new(AffinityTag, affinity));

    /// <summary>Something came over a direct connection.</summary>
    internal static void CameDirect(string model, string kind) => DirectCount.Add(1, new(ModelTag, model), new(KindTag, kind));

    /// <summary>A step began (1) or ended (-1).</summary>
    internal static void StepChanged(string model, int change) => StepCount.Add(change, new KeyValuePair<string, object?>(ModelTag, model));

    private static IEnumerable<Measurement<T>> Observe<T>(Func<IEnumerable<Contracts.Grains.SiloPart>, T> value)
        where T : struct =>
        Live.Keys.SelectMany(p => p.List()).GroupBy(p => (p.Model, Kind: KindOf(p.Part)))
            .Select(group => new Measurement<T>(value(group), new(ModelTag, group.Key.Model), new(PartTag, group.Key.Kind)));

    /// <summary>Of "stage 0, layers 0-7", "coordinator" and "experts 0-15, layers 0-7".</summary>
    private static string KindOf(string part) => part.Split(' ')[0] switch
    {
        "coordinator" => "replica",
        var kind => kind,
    };

    private static string NameOf(WireFormat format) => format switch
    {
        WireFormat.F32 => "f32",
        WireFormat.F16 => "f16",
        WireFormat.Q8 => "q8",
        _ => throw new UnreachableException(),
    };
}
