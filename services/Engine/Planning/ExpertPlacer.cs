using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Places the experts of each stage in groups, apart from the rest of its layers.</summary>
internal sealed class ExpertPlacer(CostModel costs, MemoryNeeds needs, StageSplits splits)
{
    private ModelShape Shape => costs.Shape;

    private int MostExperts => Shape.Layers.Max(layer => layer.ExpertCount);

    private int FewestExperts => Shape.Layers.Where(layer => layer.ExpertCount > 0).Min(layer => layer.ExpertCount);

    /// <summary>Places stages, and the experts of each in groups.</summary>
    /// <param name="machines">Machines to use.</param>
    /// <param name="free">What they have free.</param>
    /// <param name="stages">Stages; null for the fewest that hold the rest of the layers.</param>
    /// <param name="groups">Groups; null for the fewest that fit.</param>
    public Attempt Place(IReadOnlyList<MachineSpec> machines, FreeMemory free, int? stages, int? groups)
    {
        if (Shape.ExpertsBytes(Shape.AllLayers) == 0)
            return Bad($"placement: experts is {groups}, but model '{Shape.Name}' has no experts. Leave it out.");
        if (groups > FewestExperts)
            return Bad($"placement: experts is {groups}, more than the {FewestExperts} experts of a layer. Give at most that.");
        if (stages > Shape.Layers.Count)
            return Bad($"placement: stages is {stages}, more than the model's {Shape.Layers.Count} layers. Give at most that.");
        Attempt? first = null;
        for (var count = stages ?? 1; count <= (stages ?? Math.Min(machines.Count, Shape.Layers.Count)); count++)
        {
            if (splits.Split(machines, free, Math.Min(count, machines.Count), experts: false) is not { } shares)
                continue;
            if (count > shares.Count)
                shares = StageSplits.Divide(shares, count);
            var attempt = Place(shares, machines, free, groups);
            if (attempt.Found)
                return attempt;
            first ??= attempt;
        }

        return first ?? new Attempt { Fault = splits.Missing(machines, free, stages) };
    }

    private Attempt Place(IReadOnlyList<Share> shares, IReadOnlyList<MachineSpec> machines, FreeMemory free, int? groups)
    {
        PlacementException? fault = null;
        foreach (var count in groups is { } wished ? [wished] : Enumerable.Range(2, Math.Max(0, Math.Min(machines.Count, FewestExperts) - 1)))
        {
            if (Groups(shares, machines, free, (_, sorted) => Cycle(sorted, count), ref fault) is { } stages)
                return Found(stages, shares, groups, $"{count} groups that differ by at most one expert");
        }

        if (groups is null && Groups(shares, machines, free, ByRoom, ref fault) is { } uneven)
            return Found(uneven, shares, groups, "groups in proportion to the memory that machines have");
        return new Attempt { Fault = fault ?? splits.Missing(machines, free, shares.Count) };
    }

    private Attempt Found(IReadOnlyList<StagePlan> stages, IReadOnlyList<Share> shares, int? asked, string how)
    {
        var reasons = new List<string>
        {
            asked is { } groups ? $"{PlanText.Count(groups, "group")} of experts {(groups == 1 ? "was" : "were")} asked for." : $"No split by layers alone fits, so the experts of each stage are in {how}.",
            $"Each of the layers with experts waits for a round trip to its groups; experts are dealt out {(costs.Terms.ExpertVisits is null ? "in turn" : "so that groups get as many visits")}.",
        };
        if (shares.Count > 1)
            reasons.Add(splits.Balance(shares, experts: false));
        return new Attempt { Stages = stages, Reasons = reasons };
    }

    private List<StagePlan>? Groups(
        IReadOnlyList<Share> shares,
        IReadOnlyList<MachineSpec> machines,
        FreeMemory free,
        Func<LayerRange, IReadOnlyList<(MachineSpec Machine, long Room)>, IReadOnlyList<(MachineSpec Machine, int Experts)>> choose,
        ref PlacementException? fault)
    {
        var left = free.Copy();
        foreach (var share in shares)
            left.Take(share.Machine, needs.StageBytes(share.Range, experts: false));
        var stages = new List<StagePlan>();
        foreach (var share in shares)
        {
            if (Shape.ExpertsBytes(share.Range) == 0)
            {
                stages.Add(needs.Stage(share.Range, share.Machine.Name, []));
                continue;
            }

            // The stage's own machine first: what stays there does not travel. Then those with the most room, other hosts first.
            var sorted = machines.Select(machine => (Machine: machine, Room: left.Of(machine)))
                .OrderByDescending(part => part.Machine.Name == share.Machine.Name)
                .ThenBy(part => part.Machine.HostId == share.Machine.HostId)
                .ThenByDescending(part => part.Room).ToArray();
            var chosen = choose(share.Range, sorted);
            var plans = Deal(share.Range, chosen);
            foreach (var plan in plans)
            {
                var machine = costs.Fleet.Machine(plan.Machine);
                left.Take(machine, plan.WeightBytes);
                if (left.Of(machine) >= 0)
                    continue;
                fault ??= new PlacementException(
                    PlacementFault.DoesNotFit,
                    $"placement: group {plan.Group} of the experts of {PlanText.Layers(share.Range)} takes {PlanText.Exact(plan.WeightBytes)} and '{plan.Machine}' has {PlanText.Exact(left.Of(machine) + plan.WeightBytes)} free: {PlanText.Exact(-left.Of(machine))} are missing. Ask for more groups, or give more memory.",
                    plan.Machine,
                    -left.Of(machine));
                return null;
            }

            stages.Add(needs.Stage(share.Range, share.Machine.Name, plans));
        }

        return stages;
    }

    private (MachineSpec Machine, int Experts)[] Cycle(IReadOnlyList<(MachineSpec Machine, long Room)> sorted, int groups) =>
        [.. ExpertBalance.Even(MostExperts, groups).Select((experts, group) => (sorted[group % sorted.Count].Machine, experts))];

    /// <summary>The fewest machines that have room for all experts together, each with its share; nothing if all have too little.</summary>
    private IReadOnlyList<(MachineSpec Machine, int Experts)> ByRoom(LayerRange range, IReadOnlyList<(MachineSpec Machine, long Room)> sorted)
    {
        var bytes = Enumerable.Range(range.First, range.Count).Sum(layer => Shape.Layers[layer].ExpertBytes);
        for (var count = 1; count <= sorted.Count; count++)
        {
            var room = sorted.Take(count).Select(part => Math.Max(0, part.Room) / bytes).ToArray();
            if (ExpertBalance.Proportional(MostExperts, room) is { } sizes)
                return [.. sizes.Select((experts, group) => (sorted[group].Machine, experts)).Where(part => part.experts > 0)];
        }

        return Cycle(sorted, Math.Min(sorted.Count, FewestExperts));
    }

    private ExpertGroupPlan[] Deal(LayerRange range, IReadOnlyList<(MachineSpec Machine, int Experts)> groups)
    {
        var sizes = groups.Select(group => group.Experts).ToArray();
        IReadOnlyList<int>[]? alike = null;
        var experts = groups.Select(_ => new IReadOnlyList<int>[range.Count]).ToArray();
        var bytes = new long[groups.Count];
        for (var layer = range.First; layer < range.End; layer++)
        {
            var of = Shape.Layers[layer];
            var dealt = of.ExpertCount == 0 ? [.. groups.Select(_ => (IReadOnlyList<int>)[])]
                : costs.Terms.ExpertVisits is { } visits ? ExpertBalance.Deal(Sizes(of.ExpertCount, sizes), visits[layer])
                : of.ExpertCount == MostExperts ? alike ??= ExpertBalance.Deal(sizes, null)
                : ExpertBalance.Deal(Sizes(of.ExpertCount, sizes), null);
            for (var group = 0; group < groups.Count; group++)
            {
                experts[group][layer - range.First] = dealt[group];
                bytes[group] += dealt[group].Count * of.ExpertBytes;
            }
        }

        return [.. groups.Select((group, index) => new ExpertGroupPlan { Group = index, Machine = group.Machine.Name, WeightBytes = bytes[index], Experts = experts[index] })];
    }

    private static int[] Sizes(int experts, int[] like) => experts == like.Sum() ? like : ExpertBalance.Proportional(experts, [.. like.Select(size => (long)size)])!;

    private static Attempt Bad(string message) => new() { Fault = new PlacementException(PlacementFault.BadWish, message) };
}
