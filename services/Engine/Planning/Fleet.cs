namespace Slm.Engine.Planning;

/// <summary>Machines and the links between them.</summary>
public sealed class Fleet
{
    private readonly Dictionary<string, MachineSpec> _machines = new(StringComparer.Ordinal);
    private readonly Dictionary<(string From, string To), LinkSpeed> _links = [];

    private readonly HashSet<string> _roomy;

    /// <summary>Checks and takes the machines.</summary>
    /// <param name="machines">At least one; names differ.</param>
    /// <param name="links">Links that were measured.</param>
    /// <exception cref="PlacementException">A name occurs twice, a link names an unknown machine, or a number is out of range.</exception>
    public Fleet(IReadOnlyList<MachineSpec> machines, IReadOnlyList<LinkSpec>? links = null)
    {
        ArgumentNullException.ThrowIfNull(machines);
        Machines = machines;
        Links = links ?? [];
        if (machines.Count == 0)
            throw Bad("machines: the list is empty. Name at least one.");
        foreach (var machine in machines)
        {
            if (machine.Name.Length == 0)
                throw Bad("machines: a machine has no name. Give each one its own.");
            if (!_machines.TryAdd(machine.Name, machine))
                throw Bad($"machines: the name '{machine.Name}' occurs twice. Give each machine its own.");
            RequirePositive(machine.Threads, machine.Name, "threads");
            RequirePositive(machine.ReadBytesPerSecond, machine.Name, "read bytes per second");
            RequirePositive(machine.MultiplyAddsPerSecond, machine.Name, "multiply-adds per second");
            if (machine.FloatMultiplyAddsPerSecond is { } floats)
                RequirePositive(floats, machine.Name, "float multiply-adds per second");
            if (!(machine.StepSeconds >= 0) || double.IsInfinity(machine.StepSeconds))
                throw Bad($"machine '{machine.Name}': its seconds per step are {machine.StepSeconds}. Give 0 or more.");
            if (!(machine.LayerSeconds >= 0) || double.IsInfinity(machine.LayerSeconds))
                throw Bad($"machine '{machine.Name}': its seconds per layer are {machine.LayerSeconds}. Give 0 or more.");
            if (!(machine.TurnSeconds >= 0) || double.IsInfinity(machine.TurnSeconds))
                throw Bad($"machine '{machine.Name}': its seconds between steps are {machine.TurnSeconds}. Give 0 or more.");
            if (machine.FreeMemoryBytes < 0 || machine.HostFreeMemoryBytes < 0)
                throw Bad($"machine '{machine.Name}': its free memory is negative. Give 0 bytes or more.");
        }

        _roomy = machines.GroupBy(machine => machine.HostId, StringComparer.Ordinal)
            .Where(host => host.Sum(machine => (long)machine.Threads) <= host.Min(machine => machine.HostProcessors ?? 0)).Select(host => host.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var link in Links)
        {
            foreach (var end in new[] { link.From, link.To })
            {
                if (!_machines.ContainsKey(end))
                    throw Bad($"links: there is no machine '{end}'. Name two of the fleet's.");
            }

            Require(link.Speed, $"link {link.From} to {link.To}");
            _links[(link.From, link.To)] = link.Speed;
        }
    }

    /// <summary>The machines, in the given order.</summary>
    public IReadOnlyList<MachineSpec> Machines { get; }

    /// <summary>Links that were measured.</summary>
    public IReadOnlyList<LinkSpec> Links { get; }

    /// <summary>The link of two machines of different hosts that was not measured: by default 0.1 ms and 1 Gbit/s.</summary>
    public LinkSpeed DefaultLink { get; init; } = new(100e-6, 125e6);

    /// <summary>The link of two silos on one host that was not measured.</summary>
    public LinkSpeed LocalLink { get; init; } = new(20e-6, 2e9);

    /// <summary>Seconds of software that one message between silos costs: serialization, scheduling, and the runtime's own work.</summary>
    public double HopSeconds { get; init; } = 60e-6;

    /// <summary>Finds a machine.</summary>
    /// <exception cref="PlacementException">There is none of that name.</exception>
    public MachineSpec Machine(string name) => _machines.TryGetValue(name, out var machine)
        ? machine
        : throw new PlacementException(
            PlacementFault.UnknownMachine, $"placement: there is no machine '{name}'. There are {Names(Machines)}.", name);

    /// <summary>Whose processors a machine computes with: its own, where its host has one for every thread of its machines, else the host's.</summary>
    internal string ProcessorsOf(MachineSpec machine) => _roomy.Contains(machine.HostId) ? machine.Name : machine.HostId;

    /// <summary>The link that a message takes; a machine reaches itself at once.</summary>
    public LinkSpeed Link(string from, string to) =>
        from == to ? new LinkSpeed(0, double.PositiveInfinity)
        : _links.TryGetValue((from, to), out var link) || _links.TryGetValue((to, from), out link) ? link
        : Machine(from).HostId == Machine(to).HostId ? LocalLink
        : DefaultLink;

    /// <summary>Seconds from sending a message to having it: 0 on the same machine, else latency, bytes and software.</summary>
    public double MessageSeconds(string from, string to, double bytes) => from == to ? 0 : Link(from, to).Seconds(bytes) + HopSeconds;

    /// <summary>The same where messages follow each other so closely that nobody has fallen asleep in between.</summary>
    internal double BusyMessageSeconds(string from, string to, double bytes) => from == to ? 0 : Link(from, to).BusySeconds(bytes) + HopSeconds;

    internal static string Names(IReadOnlyList<MachineSpec> machines)
    {
        const int Most = 8;
        var names = string.Join(", ", machines.Take(Most).Select(machine => machine.Name));
        return machines.Count > Most ? $"{names} and {machines.Count - Most} more" : names;
    }

    private static void Require(LinkSpeed link, string name)
    {
        if (!(link.LatencySeconds >= 0) || double.IsInfinity(link.LatencySeconds))
            throw Bad($"{name}: its latency is {link.LatencySeconds} seconds. Give 0 or more.");
        if (link.BusyLatencySeconds is { } busy && (!(busy >= 0) || double.IsInfinity(busy)))
            throw Bad($"{name}: its latency while busy is {busy} seconds. Give 0 or more.");
        if (!(link.BytesPerSecond > 0))
            throw Bad($"{name}: it carries {link.BytesPerSecond} bytes per second. Give more than 0.");
    }

    private static void RequirePositive(double value, string machine, string what)
    {
        if (!(value > 0) || double.IsInfinity(value))
            throw Bad($"machine '{machine}': {what} is {value}. Give a number above 0.");
    }

    private static PlacementException Bad(string message) => new(PlacementFault.BadFleet, message);
}
