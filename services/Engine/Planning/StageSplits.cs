using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Splits over the machines of a fleet: which of them are candidates, with how much memory, and what is missing where none fits.</summary>
internal sealed class StageSplits(CostModel costs, MemoryNeeds needs)
{
    private ModelShape Shape => costs.Shape;

    /// <summary>The best split into <paramref name="stages"/> on as many machines; null if none fits. One silo a host, if that does.</summary>
    public IReadOnlyList<Share>? Split(IReadOnlyList<MachineSpec> machines, FreeMemory free, int stages, bool experts)
    {
        var splitter = new StageSplitter(costs, needs, Load(stages), experts);
        var hosts = OneForEachHost(machines, free);
        var split = splitter.Split(Candidates(hosts, free.Of), stages);
        if (split is null && hosts.Count < machines.Count)
        {
            split = splitter.Split(Candidates(machines, free.Of), stages);
            if (split is not null && !Fits(split, free, experts))
            {
                // What silos of a host share is shared out evenly.
                var silos = machines.GroupBy(machine => machine.HostId, StringComparer.Ordinal).ToDictionary(host => host.Key, host => host.Count(), StringComparer.Ordinal);
                split = splitter.Split(Candidates(machines, machine => free.Of(machine) / (machine.HostFreeMemoryBytes is null ? 1 : Math.Min(stages, silos[machine.HostId]))), stages);
            }
        }

        if (split is null || stages == 1)
            return split;
        var refined = new SplitRefiner(costs, needs, Load(stages), experts).Refine(split, split.ToDictionary(share => share.Machine.Name, share => free.Of(share.Machine), StringComparer.Ordinal));
        return Fits(refined, free, experts) ? refined : split;
    }

    /// <summary>The fewest stages that the memory of as many machines could hold.</summary>
    public int FewestStages(IReadOnlyList<MachineSpec> machines, FreeMemory free)
    {
        var bytes = Shape.WeightBytes(Shape.AllLayers);
        var stages = 0;
        foreach (var most in machines.Select(free.Of).OrderDescending())
        {
            stages++;
            bytes -= most;
            if (bytes <= 0)
                break;
        }

        return Math.Max(2, stages);
    }

    /// <summary>Cuts the stages with the most layers into several on the same machine until there are enough.</summary>
    public static IReadOnlyList<Share> Divide(IReadOnlyList<Share> shares, int stages)
    {
        var pieces = shares.Select(_ => 1).ToArray();
        for (var count = shares.Count; count < stages; count++)
        {
            var most = Enumerable.Range(0, shares.Count).Where(s => shares[s].Range.Count > pieces[s]).MaxBy(s => (double)shares[s].Range.Count / pieces[s]);
            pieces[most]++;
        }

        return [.. shares.SelectMany((share, s) => LayerRange.Split(share.Range.Count, pieces[s])
            .Select(range => share with { Range = new LayerRange(share.Range.First + range.First, share.Range.First + range.End) }))];
    }

    /// <summary>Says how evenly the stages work.</summary>
    public string Balance(IReadOnlyList<Share> shares, bool experts)
    {
        var splitter = new StageSplitter(costs, needs, Load(shares.Count), experts);
        var (slowest, fastest) = (shares.MaxBy(splitter.Seconds), shares.MinBy(splitter.Seconds));
        return $"Stages follow the measured speeds: the slowest, {PlanText.Layers(slowest.Range)} on '{slowest.Machine.Name}', computes {PlanText.Seconds(splitter.Seconds(slowest))} a step, the fastest {PlanText.Seconds(splitter.Seconds(fastest))}.";
    }

    /// <summary>Says how many bytes are missing, and where.</summary>
    public PlacementException Missing(IReadOnlyList<MachineSpec> machines, FreeMemory free, int? stages)
    {
        var (whole, largest) = (needs.StageBytes(Shape.AllLayers, experts: true), machines.MaxBy(free.Of)!);
        var all = machines.GroupBy(machine => machine.HostId, StringComparer.Ordinal)
            .Sum(host => Math.Max(0, host.All(machine => machine.HostFreeMemoryBytes is not null) ? host.Max(free.Of) : host.Sum(free.Of)));
        const string Remedy = "Give more memory, fewer positions of keys and values, or a smaller quantization.";
        if (machines.Count == 1 || stages == 1 || whole > all)
        {
            var (has, who) = machines.Count == 1 || stages == 1 ? (free.Of(largest), $"'{largest.Name}' has") : (all, $"all {PlanText.Count(machines.Count, "machine")} together have");
            var most = machines.Count == 1 || stages == 1 ? "" : $" The largest, '{largest.Name}', has {PlanText.Exact(free.Of(largest))}.";
            return new PlacementException(
                PlacementFault.DoesNotFit,
                $"placement: model '{Shape.Name}' takes {PlanText.Exact(whole)} and {who} {PlanText.Exact(has)} free: {PlanText.Exact(whole - has)} are missing.{most} {Remedy}",
                largest.Name,
                whole - has);
        }

        // Memory would do, but not in pieces of whole layers: show the split that misses least at its worst.
        var count = Math.Min(stages ?? machines.Count, Math.Min(machines.Count, Shape.Layers.Count));
        var biggest = machines.OrderByDescending(free.Of).Take(count).ToArray();
        var ranges = ByMemory(biggest, free);
        var worst = Enumerable.Range(0, count).MaxBy(s => needs.StageBytes(ranges[s], experts: true) - free.Of(biggest[s]));
        var (takes, room) = (needs.StageBytes(ranges[worst], experts: true), free.Of(biggest[worst]));
        if (takes <= room)
        {
            return new PlacementException(
                PlacementFault.DoesNotFit,
                $"placement: no split of model '{Shape.Name}' into {PlanText.Count(count, "stage")} fits the memory that the silos of a host share; '{largest.Name}' has {PlanText.Exact(free.Of(largest))} of the {PlanText.Exact(whole)} that the model takes. Ask for another number of stages. {Remedy}",
                largest.Name,
                Math.Max(0, whole - free.Of(largest)));
        }

        return new PlacementException(
            PlacementFault.DoesNotFit,
            $"placement: of {PlanText.Count(count, "stage")}, {PlanText.Layers(ranges[worst])} take {PlanText.Exact(takes)} and '{biggest[worst].Name}' has {PlanText.Exact(room)} free: {PlanText.Exact(takes - room)} are missing. {(stages is null ? "" : "Ask for more stages. ")}{Remedy}",
            biggest[worst].Name,
            takes - room);
    }

    /// <summary>Checks that a split fits where silos share the memory of their host.</summary>
    private bool Fits(IReadOnlyList<Share> shares, FreeMemory free, bool experts)
    {
        var own = shares.ToDictionary(share => share.Machine.Name, share => needs.StageBytes(share.Range, experts), StringComparer.Ordinal);
        return shares.GroupBy(share => share.Machine.HostId, StringComparer.Ordinal).All(host => free.Holds([.. host.Select(share => (share.Machine, own[share.Machine.Name]))]));
    }

    /// <summary>The largest silo of each host, the one that asks among equals; that one first.</summary>
    private List<MachineSpec> OneForEachHost(IReadOnlyList<MachineSpec> machines, FreeMemory free) =>
        [.. machines.GroupBy(machine => machine.HostId, StringComparer.Ordinal).Select(host => host.MaxBy(machine => (free.Of(machine), IsLocal(machine)))!).OrderByDescending(IsLocal)];

    private List<Candidate> Candidates(IReadOnlyList<MachineSpec> machines, Func<MachineSpec, long> free) =>
        [.. machines.OrderByDescending(IsLocal).Select(machine => new Candidate(machine, free(machine)))];

    private bool IsLocal(MachineSpec machine) => machine.Name == costs.Terms.LocalMachine;

    /// <summary>A step's share of each of as many micro-batches as there are stages.</summary>
    private StepLoad Load(int stages) => StepLoad.Decode((costs.Terms.Streams + stages - 1) / stages, costs.Terms.ContextTokens);

    /// <summary>As many layers for each machine in turn as its share of all memory.</summary>
    private LayerRange[] ByMemory(MachineSpec[] machines, FreeMemory free)
    {
        var all = machines.Sum(machine => (double)Math.Max(1, free.Of(machine)));
        var (sum, first) = (0.0, 0);
        var ranges = new LayerRange[machines.Length];
        for (var s = 0; s < machines.Length; s++)
        {
            sum += Math.Max(1, free.Of(machines[s]));
            var end = Math.Clamp((int)Math.Round(Shape.Layers.Count * sum / all), first + 1, Shape.Layers.Count - (machines.Length - 1 - s));
            ranges[s] = new LayerRange(first, end);
            first = end;
        }

        return ranges;
    }
}
