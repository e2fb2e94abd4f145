namespace Slm.Engine.Planning;

/// <summary>Says what limits the decode speed of a pipeline under the load of the terms, and by how much.</summary>
internal sealed class Bottleneck(CostModel costs, ReplicaPlan replica)
{
    private IReadOnlyList<StagePlan> Stages => replica.Stages;

    public string Describe()
    {
        var (streams, context) = (costs.Terms.Streams, costs.Terms.ContextTokens);
        var parts = Math.Min(replica.MicroBatches, streams);
        var size = (streams + parts - 1) / parts;
        var step = costs.Decode(Stages, streams, replica.MicroBatches);
        var cost = costs.Cost(Stages, StepLoad.Decode(size, context));
        var of = $"of the {PlanText.Seconds(step.Seconds)} that {(streams == 1 ? "a token takes" : $"a token of each of {streams} sequences takes")}";
        if (step.Host is { } host)
        {
            var others = step.Busy.Where(other => other.Key != host).Select(other => other.Value).DefaultIfEmpty(0).Max();
            var next = others > 0 ? $", {PlanText.Number(step.Seconds / others)} times as long as the next" : "";
            return $"Host '{host}' computes all of the {PlanText.Seconds(step.Seconds)} in which each of {streams} sequences gets a token{next}.";
        }

        if (step.Boundary is { } boundary)
            return $"The link from '{Stages[boundary].Machine}' to '{Stages[(boundary + 1) % Stages.Count].Machine}' carries {PlanText.Bytes(cost.WireBytes * parts)} in all of the {PlanText.Seconds(step.Seconds)} in which each of {streams} sequences gets a token: it has too little bandwidth.";
        var messages = cost.MessageSeconds.Sum();
        var slowest = Enumerable.Range(0, Stages.Count).MaxBy(s => cost.StageSeconds[s] + cost.ExpertSeconds[s]);
        var stage = Stages[slowest];
        if (messages > cost.StageSeconds[slowest] + cost.ExpertSeconds[slowest])
            return $"Messages between stages take {PlanText.Seconds(messages)} {of} ({PlanText.Percent(messages / step.Seconds)}): fewer stages or shorter links would help most.";
        var where = Stages.Count == 1 ? $"on '{stage.Machine}'" : $"of stage {slowest} ({PlanText.Layers(stage.Range)}) on '{stage.Machine}'";
        if (cost.ExpertSeconds[slowest] > cost.StageSeconds[slowest])
            return $"Waiting for the groups of experts {where} takes {PlanText.Seconds(cost.ExpertSeconds[slowest])} {of} ({PlanText.Percent(cost.ExpertSeconds[slowest] / step.Seconds)}).";
        var machine = costs.Fleet.Machine(stage.Machine);
        var work = costs.WorkOf(StepLoad.Decode(size, context)).Of(stage.Range, stage.ExpertGroups.Count == 0);
        var (what, seconds) = new[]
        {
            ($"Reading {PlanText.Bytes(work.WeightBytes)} of weights", work.ReadSeconds(machine)),
            ("Multiplying with the weights", work.MultiplySeconds(machine)),
            ($"Attention over {context} positions", work.CacheSeconds(machine)),
        }.MaxBy(part => part.Item2);
        return $"{what} {where} takes {PlanText.Seconds(seconds)} {of} ({PlanText.Percent(seconds / step.Seconds)}).";
    }
}
