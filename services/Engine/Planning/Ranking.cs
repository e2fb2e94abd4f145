namespace Slm.Engine.Planning;

/// <summary>Machines by speed and by memory, so that of thousands only those that matter are looked at.</summary>
internal sealed class Ranking
{
    private readonly LinkedList<MachineSpec> _fast;
    private readonly LinkedList<MachineSpec> _large;

    public Ranking(CostModel costs, FreeMemory free, IReadOnlyList<MachineSpec> machines)
    {
        var step = StepLoad.Decode(costs.Terms.Streams, costs.Terms.ContextTokens);
        _fast = new LinkedList<MachineSpec>(machines.OrderBy(machine => costs.StageSeconds(costs.Shape.AllLayers, machine, experts: true, step)));
        _large = new LinkedList<MachineSpec>(machines.OrderByDescending(free.Of));
    }

    /// <summary>At most <paramref name="most"/> machines: the fastest and the largest in turn, without those of hosts in use, which are forgotten.</summary>
    public IReadOnlyList<MachineSpec> Best(HashSet<string> usedHosts, int most)
    {
        var chosen = new List<MachineSpec>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var (fast, large) = (_fast.First, _large.First);
        while (chosen.Count < most && (fast is not null || large is not null))
        {
            Take(_fast, ref fast);
            if (chosen.Count < most)
                Take(_large, ref large);
        }

        return chosen;

        void Take(LinkedList<MachineSpec> list, ref LinkedListNode<MachineSpec>? at)
        {
            while (at is not null)
            {
                var (machine, next) = (at.Value, at.Next);
                var used = usedHosts.Contains(machine.HostId);
                if (used)
                    list.Remove(at);
                at = next;
                if (used || !names.Add(machine.Name))
                    continue;
                chosen.Add(machine);
                return;
            }
        }
    }
}
