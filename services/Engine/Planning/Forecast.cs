using Slm.Engine.Wire;
namespace Slm.Engine.Planning;

/// <summary>Completes placed stages to a plan: micro-batches, what to expect, and what limits it.</summary>
internal sealed class Forecast
{
    private readonly CostModel _costs;
    private readonly IReadOnlyList<ReplicaPlan> _replicas;
    private readonly HashSet<string> _contended;

    private Forecast(CostModel costs, IReadOnlyList<ReplicaPlan> replicas)
    {
        _costs = costs;
        _replicas = replicas;
        _contended = replicas.SelectMany(replica => HostsOf(replica).Distinct(StringComparer.Ordinal))
            .GroupBy(host => host, StringComparer.Ordinal).Where(host => host.Skip(1).Any()).Select(host => host.Key).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The plan of some pipelines.</summary>
    public static PlacementPlan Plan(CostModel costs, IReadOnlyList<IReadOnlyList<StagePlan>> pipelines, IReadOnlyList<string> reasons)
    {
        ReplicaPlan[] replicas = [.. pipelines.Select(stages => new ReplicaPlan { Stages = stages, MicroBatches = costs.BestMicroBatches(stages) })];
        return new PlacementPlan
        {
            Replicas = replicas,
            WireFormat = costs.Terms.WireFormat,
            Prediction = new Forecast(costs, replicas).Predict(),
            Reasons = [.. reasons, .. Working(costs, replicas[0])],
        };
    }

    private static IEnumerable<string> Working(CostModel costs, ReplicaPlan replica)
    {
        if (replica.Stages.Count == 1)
            yield break;
        var hosts = replica.Stages.Select(stage => costs.Fleet.ProcessorsOf(costs.Fleet.Machine(stage.Machine))).Distinct(StringComparer.Ordinal).Count();
        yield return hosts == 1
            ? "All stages are on one host, so one runs after the other: a second micro-batch would read all weights again on the same processors."
            : $"{PlanText.Count(replica.MicroBatches, "micro-batch is", "micro-batches are")} under way at a time, which gives the most tokens per second.";
    }

    private PlacementPrediction Predict()
    {
        var first = _replicas[0];
        var one = _costs.Cost(first.Stages, StepLoad.Decode(1, _costs.Terms.ContextTokens));
        var memory = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var stage in _replicas.SelectMany(replica => replica.Stages))
        {
            memory[stage.Machine] = memory.GetValueOrDefault(stage.Machine) + stage.MemoryBytes;
            foreach (var group in stage.ExpertGroups)
                memory[group.Machine] = memory.GetValueOrDefault(group.Machine) + group.WeightBytes;
        }

        return new PlacementPrediction(DecodeAt)
        {
            SecondsPerToken = one.Seconds,
            PrefillTokensPerSecond = Together([.. _replicas.Select(replica => _costs.Prefill(replica.Stages, replica.MicroBatches))], _ => _costs.Terms.ContextTokens),
            StepSeconds = one.StageSeconds,
            WireBytesPerToken = one.WireBytes,
            MemoryBytes = memory,
            Bottleneck = new Bottleneck(_costs, first).Describe(),
        };
    }

    private double DecodeAt(int streams)
    {
        var (each, more) = (streams / _replicas.Count, streams % _replicas.Count);
        int Of(int replica) => each + (replica < more ? 1 : 0);
        var working = each > 0 ? _replicas.Count : more;
        return Together(
            [.. Enumerable.Range(0, working).Select(replica => _costs.Decode(_replicas[replica].Stages, Of(replica), _replicas[replica].MicroBatches)).Select(step => (step.Seconds, step.Busy))],
            Of);
    }

    /// <summary>Tokens per second of pipelines that work at the same time. A host that several use slows them so that it is busy all along.</summary>
    private double Together(IReadOnlyList<(double Seconds, IReadOnlyDictionary<string, double> Busy)> rounds, Func<int, int> tokens)
    {
        var use = new Dictionary<string, double>(StringComparer.Ordinal);
        if (_contended.Count > 0)
        {
            foreach (var (seconds, busy) in rounds)
            {
                foreach (var (host, time) in busy.Where(host => _contended.Contains(host.Key)))
                    use[host] = use.GetValueOrDefault(host) + (time / seconds);
            }
        }

        var all = 0.0;
        for (var replica = 0; replica < rounds.Count; replica++)
        {
            var (seconds, busy) = rounds[replica];
            var slower = use.Count == 0 ? 1 : busy.Keys.Max(host => Math.Max(1, use.GetValueOrDefault(host)));
            all += tokens(replica) / (seconds * slower);
        }

        return all;
    }

    private IEnumerable<string> HostsOf(ReplicaPlan replica) =>
        replica.Stages.SelectMany(stage => stage.ExpertGroups.Select(group => group.Machine).Prepend(stage.Machine)).Select(name => _costs.Fleet.ProcessorsOf(_costs.Fleet.Machine(name)));
}
