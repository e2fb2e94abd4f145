namespace Slm.Engine.Planning;

/// <summary>Memory that is still free while a placement is made; silos of a host may share it.</summary>
internal sealed class FreeMemory
{
    private readonly Dictionary<string, long> _machines;
    private readonly Dictionary<string, long> _hosts;

    public FreeMemory(Fleet fleet)
    {
        _machines = fleet.Machines.ToDictionary(machine => machine.Name, machine => machine.FreeMemoryBytes, StringComparer.Ordinal);
        _hosts = fleet.Machines.Where(machine => machine.HostFreeMemoryBytes is not null)
            .GroupBy(machine => machine.HostId, StringComparer.Ordinal)
            .ToDictionary(host => host.Key, host => host.Max(machine => machine.HostFreeMemoryBytes!.Value), StringComparer.Ordinal);
    }

    private FreeMemory(FreeMemory other)
    {
        _machines = new Dictionary<string, long>(other._machines, StringComparer.Ordinal);
        _hosts = new Dictionary<string, long>(other._hosts, StringComparer.Ordinal);
    }

    /// <summary>The same, to try something on.</summary>
    public FreeMemory Copy() => new(this);

    /// <summary>Bytes that a machine may still take; below 0 where more was taken than there is.</summary>
    public long Of(MachineSpec machine) => _hosts.TryGetValue(machine.HostId, out var host) ? Math.Min(host, _machines[machine.Name]) : _machines[machine.Name];

    /// <summary>Whether machines of one host may take so much, each and together.</summary>
    public bool Holds(IReadOnlyList<(MachineSpec Machine, long Bytes)> wanted) =>
        wanted.All(part => part.Bytes <= Of(part.Machine))
        && (!_hosts.TryGetValue(wanted[0].Machine.HostId, out var host) || wanted.Sum(part => part.Bytes) <= host);

    /// <summary>Takes memory of a machine.</summary>
    public void Take(MachineSpec machine, long bytes)
    {
        _machines[machine.Name] -= bytes;
        if (_hosts.ContainsKey(machine.HostId))
            _hosts[machine.HostId] -= bytes;
    }

    /// <summary>Takes what a pipeline needs, its groups of experts included.</summary>
    public void Take(Fleet machines, IReadOnlyList<StagePlan> stages)
    {
        foreach (var stage in stages)
        {
            Take(machines.Machine(stage.Machine), stage.MemoryBytes);
            foreach (var group in stage.ExpertGroups)
                Take(machines.Machine(group.Machine), group.WeightBytes);
        }
    }
}
