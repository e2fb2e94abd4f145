namespace Slm.Engine.Planning;

/// <summary>Chooses where a model goes.</summary>
/// <remarks>
/// A model stays whole on the fastest machine that it fits on. Else its layers are split into the fewest stages that hold it,
/// sized by measured speed so that the slowest is as fast as possible; the embedding counts for the first and the head for the
/// last, whose machine coordinates. Experts are split from their stages only if no split by layers fits, or if that is asked for.
/// </remarks>
public static class Planner
{
    /// <summary>The placement that the wish asks for, with what it leaves open chosen by the cost model.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="fleet">Machines and links.</param>
    /// <param name="wish">What is asked for.</param>
    /// <param name="terms">Memory and load.</param>
    /// <exception cref="PlacementException">There is no such placement; the message says why, and where memory is missing how much and where.</exception>
    public static PlacementPlan Plan(ModelShape shape, Fleet fleet, PlacementWish wish, PlanningTerms terms)
    {
        var (costs, needs) = Prepare(shape, fleet, wish, terms);
        if (wish.Map is { } map)
            return Forecast.Plan(costs, new MapPlacer(shape, fleet, needs).Place(map), ["The map says where everything goes."]);
        var machines = Usable(fleet, wish);
        var wanted = wish.Replicas ?? 1;
        var reasons = new List<string>();
        var replicas = new Replicas(costs, needs);
        var found = replicas.OnHostsOfTheirOwn(machines, wish, wanted, reasons, out var fault);
        if (found.Count == 0)
            throw fault!;
        if (found.Count < wanted)
            reasons.Add($"Only {PlanText.Count(found.Count, "replica has", "replicas have")} hosts of their own; the others share theirs, which makes up for the loss of a silo but adds no speed.");
        while (found.Count < wanted)
        {
            var more = replicas.Beside(found, machines, wish);
            if (more.Fault is { Fault: PlacementFault.DoesNotFit } missing)
                throw new PlacementException(missing.Fault, $"{missing.Message} That is for replica {found.Count + 1} of {wanted}.", missing.Machine, missing.MissingBytes);
            found.Add(more.Found ? more.Stages : throw more.Fault!);
        }

        if (wanted > 1)
            reasons.Add($"{wanted:N0} replicas were asked for.");
        return Forecast.Plan(costs, found, reasons);
    }

    /// <summary>The placement with as many replicas as there are hosts for: what the whole fleet can do.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="fleet">Machines and links.</param>
    /// <param name="wish">What each replica is to be; without a number of replicas and without a map.</param>
    /// <param name="terms">Memory and load, of each replica.</param>
    /// <exception cref="PlacementException">Not even one fits.</exception>
    public static PlacementPlan Fill(ModelShape shape, Fleet fleet, PlacementWish wish, PlanningTerms terms)
    {
        var (costs, needs) = Prepare(shape, fleet, wish, terms);
        if (wish.Map is not null || wish.Replicas is not null)
            throw new PlacementException(PlacementFault.BadWish, $"placement: '{wish}' says how many replicas there are. Leave that open to fill the fleet.");
        var reasons = new List<string>();
        var found = new Replicas(costs, needs).OnHostsOfTheirOwn(Usable(fleet, wish), wish, int.MaxValue, reasons, out var fault);
        return found.Count == 0 ? throw fault! : Forecast.Plan(costs, found, [.. reasons, $"{PlanText.Count(found.Count, "replica has", "replicas have")} room on hosts of {(found.Count == 1 ? "its" : "their")} own."]);
    }

    private static (CostModel Costs, MemoryNeeds Needs) Prepare(ModelShape shape, Fleet fleet, PlacementWish wish, PlanningTerms terms)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(fleet);
        ArgumentNullException.ThrowIfNull(wish);
        ArgumentNullException.ThrowIfNull(terms);
        terms.Check(shape);
        if (terms.LocalMachine is { } local)
            fleet.Machine(local);
        terms = terms with { ContextTokens = Math.Min(terms.ContextTokens, shape.ContextLength) };
        return (new CostModel(shape, fleet, terms), new MemoryNeeds(shape, terms));
    }

    private static IReadOnlyList<MachineSpec> Usable(Fleet fleet, PlacementWish wish)
    {
        if (wish.RequiredLabels.Count == 0)
            return fleet.Machines;
        MachineSpec[] machines = [.. fleet.Machines.Where(machine => wish.RequiredLabels.All(label => machine.Labels.GetValueOrDefault(label.Key) == label.Value))];
        return machines.Length > 0 ? machines : throw new PlacementException(
            PlacementFault.UnknownMachine,
            $"placement: no machine has {string.Join(" and ", wish.RequiredLabels.Select(label => $"label:{label.Key}={label.Value}"))}. Ask for labels that machines have.");
    }
}
