using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>
/// Finds one pipeline: all of the model on one machine if it fits there, else the fewest stages that hold it, else experts
/// apart from their stages.
/// </summary>
internal sealed class PipelinePlanner
{
    /// <summary>Speeds this close are equal: measurements repeat no better.</summary>
    private const double SameSpeed = 1.05;

    private readonly CostModel _costs;
    private readonly MemoryNeeds _needs;
    private readonly StageSplits _splits;
    private readonly ExpertPlacer _experts;
    private readonly StepLoad _step;

    public PipelinePlanner(CostModel costs, MemoryNeeds needs)
    {
        _costs = costs;
        _needs = needs;
        _splits = new StageSplits(costs, needs);
        _experts = new ExpertPlacer(costs, needs, _splits);
        _step = StepLoad.Decode(costs.Terms.Streams, costs.Terms.ContextTokens);
    }

    private ModelShape Shape => _costs.Shape;

    /// <summary>Plans on some machines, of which <paramref name="free"/> is left.</summary>
    public Attempt Plan(IReadOnlyList<MachineSpec> machines, FreeMemory free, PlacementWish wish)
    {
        if (wish.ExpertGroups is { } groups)
            return _experts.Place(machines, free, wish.Stages, groups);
        var attempt = wish.Stages is { } stages ? Stages(machines, free, stages) : OneMachine(machines, free) ?? FewestStages(machines, free);
        if (attempt.Found || Shape.ExpertsBytes(Shape.AllLayers) == 0)
            return attempt;
        return _experts.Place(machines, free, wish.Stages, groups: null) is { Found: true } apart ? apart : attempt;
    }

    private Attempt? OneMachine(IReadOnlyList<MachineSpec> machines, FreeMemory free)
    {
        var bytes = _needs.StageBytes(Shape.AllLayers, experts: true);
        var (fitting, best, least) = (0, (MachineSpec?)null, double.PositiveInfinity);
        var local = (Machine: (MachineSpec?)null, Seconds: double.PositiveInfinity);
        foreach (var machine in machines)
        {
            if (free.Of(machine) < bytes)
                continue;
            fitting++;
            var seconds = _costs.StageSeconds(Shape.AllLayers, machine, experts: true, _step);
            if (seconds < least)
                (best, least) = (machine, seconds);
            if (machine.Name == _costs.Terms.LocalMachine)
                local = (machine, seconds);
        }

        if (best is null)
            return null;
        if (local.Seconds <= least * SameSpeed)
            (best, least) = (local.Machine!, local.Seconds);
        var why = (fitting, machines.Count) switch
        {
            (_, 1) => "there is no other",
            (1, _) => $"it is the only one of {machines.Count:N0} that the model fits on",
            _ => best == local.Machine ? $"it is the one that asks, and none of the {fitting:N0} that the model fits on is more than {SameSpeed - 1:P0} faster"
                : $"it is the fastest of the {fitting:N0} that the model fits on",
        };
        return new Attempt
        {
            Stages = [_needs.Stage(Shape.AllLayers, best.Name, [])],
            Reasons = [$"The model takes {PlanText.Bytes(bytes)} and stays whole on '{best.Name}', which has {PlanText.Bytes(free.Of(best))} free: {why}."],
        };
    }

    private Attempt FewestStages(IReadOnlyList<MachineSpec> machines, FreeMemory free)
    {
        for (var stages = _splits.FewestStages(machines, free); stages <= Math.Min(machines.Count, Shape.Layers.Count); stages++)
        {
            if (_splits.Split(machines, free, stages, experts: true) is { } shares)
            {
                var largest = machines.MaxBy(free.Of)!;
                var reason = $"The model takes {PlanText.Bytes(_needs.StageBytes(Shape.AllLayers, experts: true))}; the most that a machine has free is {PlanText.Bytes(free.Of(largest))} ('{largest.Name}'), so its layers are split over {stages} machines, the fewest that hold it.";
                return Found(shares, [reason]);
            }
        }

        return new Attempt { Fault = _splits.Missing(machines, free, stages: null) };
    }

    private Attempt Stages(IReadOnlyList<MachineSpec> machines, FreeMemory free, int stages)
    {
        if (stages > Shape.Layers.Count)
            return new Attempt { Fault = new PlacementException(PlacementFault.BadWish, $"placement: stages is {stages}, more than the model's {Shape.Layers.Count} layers. Give at most that.") };
        if (_splits.Split(machines, free, Math.Min(stages, machines.Count), experts: true) is not { } shares)
            return new Attempt { Fault = _splits.Missing(machines, free, stages) };
        var reason = $"{PlanText.Count(stages, "stage was", "stages were")} asked for.";
        return stages <= machines.Count
            ? Found(shares, [reason])
            : Found(StageSplits.Divide(shares, stages), [reason, $"There are {PlanText.Count(machines.Count, "machine")}, so that stages share them."]);
    }

    private Attempt Found(IReadOnlyList<Share> shares, IReadOnlyList<string> reasons)
    {
        var attempt = new Attempt { Stages = [.. shares.Select(share => _needs.Stage(share.Range, share.Machine.Name, []))], Reasons = reasons };
        return shares.Count == 1 ? attempt : attempt with { Reasons = [.. reasons, _splits.Balance(shares, experts: true)] };
    }
}
