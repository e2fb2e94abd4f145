using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Makes the stages of an explicit map, after checking that it covers the model once and fits.</summary>
internal sealed class MapPlacer(ModelShape shape, Fleet fleet, MemoryNeeds needs)
{
    /// <summary>The stages of each pipeline.</summary>
    /// <exception cref="PlacementException">A machine is unknown, layers or experts are missing or occur twice, or memory is missing.</exception>
    public IReadOnlyList<IReadOnlyList<StagePlan>> Place(PlacementMap map)
    {
        var free = new FreeMemory(fleet);
        var replicas = new List<IReadOnlyList<StagePlan>>();
        foreach (var replica in map.Replicas)
        {
            CheckLayers(replica);
            CheckClauses(replica);
            IReadOnlyList<StagePlan> stages = [.. replica.Stages.Select(stage => needs.Stage(stage.Range, fleet.Machine(stage.Machine).Name, Groups(replica, stage.Range)))];
            foreach (var (machine, bytes, what) in stages.SelectMany(Parts))
            {
                free.Take(machine, bytes);
                if (free.Of(machine) < 0)
                    throw Missing(machine, bytes, free.Of(machine) + bytes, what);
            }

            replicas.Add(stages);
        }

        return replicas;
    }

    private static PlacementException Missing(MachineSpec machine, long bytes, long free, string what) => new(
        PlacementFault.DoesNotFit,
        $"placement: {what} take {PlanText.Exact(bytes)} and '{machine.Name}' has {PlanText.Exact(Math.Max(0, free))} free: {PlanText.Exact(bytes - Math.Max(0, free))} are missing. Give that machine less.",
        machine.Name,
        bytes - Math.Max(0, free));

    private IEnumerable<(MachineSpec Machine, long Bytes, string What)> Parts(StagePlan stage)
    {
        yield return (fleet.Machine(stage.Machine), stage.MemoryBytes, PlanText.Layers(stage.Range));
        foreach (var group in stage.ExpertGroups)
            yield return (fleet.Machine(group.Machine), group.WeightBytes, $"the experts of group {group.Group} of {PlanText.Layers(stage.Range)}");
    }

    private void CheckLayers(MappedReplica replica)
    {
        var next = 0;
        foreach (var stage in replica.Stages)
        {
            var (first, last) = (stage.Range.First, stage.Range.End - 1);
            if (last >= shape.Layers.Count)
                throw Bad($"{first}-{last}@{stage.Machine} ends behind the model's last layer, {shape.Layers.Count - 1}. End there.");
            if (first > next)
                throw Bad($"there is a gap: {PlanText.Layers(new LayerRange(next, first))} {(first - next == 1 ? "is" : "are")} on no machine. Let {first}-{last}@{stage.Machine} begin at {next}, or name a machine for {(first - next == 1 ? "it" : "them")}.");
            if (first < next)
                throw Bad($"{first}-{last}@{stage.Machine} overlaps what is before it. Let it begin at {next}.");
            next = stage.Range.End;
        }

        if (next < shape.Layers.Count)
            throw Bad($"there is a gap: {PlanText.Layers(new LayerRange(next, shape.Layers.Count))} {(shape.Layers.Count - next == 1 ? "is" : "are")} on no machine. The model has {shape.Layers.Count} layers.");
    }

    private void CheckClauses(MappedReplica replica)
    {
        var named = new bool[shape.Layers.Count];
        if (replica.Experts.Count(clause => clause.Layers is null) > 1)
            throw Bad("'experts:' without layers in brackets occurs twice. Give it once.");
        foreach (var clause in replica.Experts)
        {
            if (shape.ExpertsBytes(shape.AllLayers) == 0)
                throw Bad($"model '{shape.Name}' has no experts. Leave 'experts' out.");
            for (var layer = clause.Layers?.First ?? 0; layer < (clause.Layers?.End ?? 0); layer++)
            {
                if (layer >= shape.Layers.Count)
                    throw Bad($"experts[{clause.Layers!.Value.First}-{clause.Layers.Value.End - 1}] ends behind the model's last layer, {shape.Layers.Count - 1}. End there.");
                if (named[layer])
                    throw Bad($"the experts of layer {layer} are placed twice. Name the layer in one clause.");
                if (shape.Layers[layer].ExpertCount == 0)
                    throw Bad($"layer {layer} has no experts. Leave it out of the brackets.");
                named[layer] = true;
            }
        }
    }

    private ExpertGroupPlan[] Groups(MappedReplica replica, LayerRange range)
    {
        var layers = Enumerable.Range(range.First, range.Count).Where(layer => shape.Layers[layer].ExpertCount > 0).ToArray();
        var clauses = layers.ToDictionary(layer => layer, layer => ClauseOf(replica, layer));
        if (clauses.Values.All(clause => clause is null))
            return [];
        var machines = clauses.Values.First(clause => clause is not null)!.Groups.Select(group => group.Machine).ToArray();
        foreach (var (layer, clause) in clauses)
        {
            if (clause is null)
                throw Bad($"the experts of {PlanText.Layers(range)} are partly in groups: layer {layer} is in no clause. Name all layers of a stage that have experts, or none.");
            if (!clause.Groups.Select(group => group.Machine).SequenceEqual(machines, StringComparer.Ordinal))
                throw Bad($"the clauses for {PlanText.Layers(range)} name different machines. Within a stage give the same machines in the same order.");
            Check(clause, layer);
        }

        return [.. machines.Select((machine, index) => new ExpertGroupPlan
        {
            Group = index,
            Machine = fleet.Machine(machine).Name,
            Experts = [.. Enumerable.Range(range.First, range.Count).Select(layer => clauses.TryGetValue(layer, out var clause) ? clause!.Groups[index].Experts : [])],
            WeightBytes = clauses.Sum(layer => layer.Value!.Groups[index].Experts.Count * shape.Layers[layer.Key].ExpertBytes),
        })];
    }

    private void Check(MappedExperts clause, int layer)
    {
        var count = shape.Layers[layer].ExpertCount;
        var seen = new bool[count];
        foreach (var group in clause.Groups)
        {
            foreach (var expert in group.Experts)
            {
                if (expert >= count)
                    throw Bad($"expert {expert} on '{group.Machine}' does not exist: layer {layer} has {count}. Number them from 0.");
                if (seen[expert])
                    throw Bad($"expert {expert} of layer {layer} is in two groups. Name it in one.");
                seen[expert] = true;
            }
        }

        if (Array.IndexOf(seen, false) is >= 0 and var missing)
            throw Bad($"expert {missing} of layer {layer} is in no group. Name each of the {count} once.");
    }

    private static MappedExperts? ClauseOf(MappedReplica replica, int layer) =>
        replica.Experts.FirstOrDefault(clause => clause.Layers is { } layers && layer >= layers.First && layer < layers.End)
        ?? replica.Experts.FirstOrDefault(clause => clause.Layers is null);

    private static PlacementException Bad(string message) => new(PlacementFault.BadWish, $"placement: {message}");
}
