namespace Slm.Engine.Planning;

/// <summary>
/// Places pipelines one after the other, each on machines that no other uses. A pipeline that was found is repeated on equal
/// machines as long as there are any, so that thousands of machines cost little more than their kinds.
/// </summary>
internal sealed class Replicas(CostModel costs, MemoryNeeds needs)
{
    /// <summary>Machines beyond which only the fastest and the largest are looked at, first.</summary>
    private const int ManyMachines = 96;

    private readonly PipelinePlanner _planner = new(costs, needs);

    private Fleet Fleet => costs.Fleet;

    /// <summary>As many pipelines as fit, at most some number, each on hosts of its own.</summary>
    /// <param name="machines">Machines to use.</param>
    /// <param name="wish">What each pipeline is to be.</param>
    /// <param name="most">Pipelines at most.</param>
    /// <param name="reasons">Takes the reasons of the first one.</param>
    /// <param name="fault">Why there is no further one; null if there are enough.</param>
    public List<IReadOnlyList<StagePlan>> OnHostsOfTheirOwn(IReadOnlyList<MachineSpec> machines, PlacementWish wish, int most, List<string> reasons, out PlacementException? fault)
    {
        var free = new FreeMemory(Fleet);
        var linked = Fleet.Links.SelectMany(link => new[] { link.From, link.To }).ToHashSet(StringComparer.Ordinal);
        var shared = machines.GroupBy(machine => machine.HostId, StringComparer.Ordinal).Where(host => host.Count() > 1).Select(host => host.Key).ToHashSet(StringComparer.Ordinal);
        var spare = machines.GroupBy(Kind).ToDictionary(kind => kind.Key, kind => new Queue<MachineSpec>(kind));
        var used = new HashSet<string>(StringComparer.Ordinal);
        var replicas = new List<IReadOnlyList<StagePlan>>();
        var ranking = new Ranking(costs, free, machines);
        fault = null;
        while (replicas.Count < most)
        {
            var left = replicas.Count == 0 ? machines : ranking.Best(used, ManyMachines);
            var attempt = left.Count == 0 ? null : _planner.Plan(left, free, wish);
            if (attempt is { Found: false } && left.Count == ManyMachines)
                attempt = _planner.Plan(ranking.Best(used, int.MaxValue), free, wish);
            if (attempt is not { Found: true })
            {
                fault = attempt?.Fault;
                break;
            }

            if (replicas.Count == 0)
                reasons.AddRange(attempt.Reasons);
            for (var next = attempt.Stages; next is not null && replicas.Count < most; next = Repeat(attempt.Stages))
            {
                replicas.Add(next);
                foreach (var machine in MachinesOf(next))
                    used.Add(Fleet.Machine(machine).HostId);
            }
        }

        return replicas;

        // Machines that nothing tells apart may stand in for each other.
        (long, double, double, string?) Kind(MachineSpec machine) => (
            free.Of(machine),
            machine.ReadBytesPerSecond,
            machine.MultiplyAddsPerSecond,
            linked.Contains(machine.Name) || shared.Contains(machine.HostId) ? machine.Name : null);

        IReadOnlyList<StagePlan>? Repeat(IReadOnlyList<StagePlan> stages)
        {
            var stands = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var name in MachinesOf(stages))
            {
                var kind = spare[Kind(Fleet.Machine(name))];
                while (kind.Count > 0 && used.Contains(kind.Peek().HostId))
                    kind.Dequeue();
                if (!kind.TryDequeue(out var other))
                    return null;
                stands[name] = other.Name;
            }

            return [.. stages.Select(stage => stage with
            {
                Machine = stands[stage.Machine],
                ExpertGroups = [.. stage.ExpertGroups.Select(group => group with { Machine = stands[group.Machine] })],
            })];
        }
    }

    /// <summary>One more pipeline beside others: on machines that they leave alone if it fits there, else where there is memory left.</summary>
    public Attempt Beside(IReadOnlyList<IReadOnlyList<StagePlan>> others, IReadOnlyList<MachineSpec> machines, PlacementWish wish)
    {
        var free = new FreeMemory(Fleet);
        foreach (var other in others)
            free.Take(Fleet, other);
        var used = others.SelectMany(MachinesOf).ToHashSet(StringComparer.Ordinal);
        MachineSpec[] idle = [.. machines.Where(machine => !used.Contains(machine.Name))];
        return idle.Length > 0 && _planner.Plan(idle, free, wish) is { Found: true } alone ? alone : _planner.Plan(machines, free, wish);
    }

    private static IEnumerable<string> MachinesOf(IReadOnlyList<StagePlan> stages) =>
        stages.SelectMany(stage => stage.ExpertGroups.Select(group => group.Machine).Prepend(stage.Machine)).Distinct(StringComparer.Ordinal);
}
