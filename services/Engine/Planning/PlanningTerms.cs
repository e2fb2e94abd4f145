using Slm.Engine.Wire;

namespace Slm.Engine.Planning;

/// <summary>What a placement must make room for, and the load it is made for.</summary>
public sealed record PlanningTerms
{
    /// <summary>Bytes of keys and values over all layers, for each replica; null for <see cref="ContextTokens"/> positions of <see cref="Streams"/> sequences.</summary>
    public long? KvBytes { get; init; }

    /// <summary>Slots of recurrent state of each replica; null for two a sequence. Not used by a model without recurrent layers.</summary>
    public int? StateSlots { get; init; }

    /// <summary>Most tokens of a step: the room for activations, and the chunk of a prefill.</summary>
    public int MaxStepTokens { get; init; } = 512;

    /// <summary>Positions that a sequence holds where speed is predicted, and the length of a prompt; at most the model's context counts.</summary>
    public int ContextTokens { get; init; } = 512;

    /// <summary>Sequences at a time in each replica, which room and micro-batches are chosen for.</summary>
    public int Streams { get; init; } = 1;

    /// <summary>The machine that asks; preferred among equals.</summary>
    public string? LocalMachine { get; init; }

    /// <summary>What activations travel as.</summary>
    public WireFormat WireFormat { get; init; } = WireFormat.F16;

    /// <summary>Visits of each expert, [layer][expert], which groups are balanced by; null counts all alike.</summary>
    public IReadOnlyList<IReadOnlyList<long>>? ExpertVisits { get; init; }

    /// <summary>Refuses terms that no placement could meet.</summary>
    /// <exception cref="PlacementException">A term is out of range or does not fit the model.</exception>
    internal void Check(ModelShape shape)
    {
        Require(MaxStepTokens >= 1, "max_step_tokens", MaxStepTokens, "1 or more");
        Require(Streams >= 1, "streams", Streams, "1 or more");
        Require(ContextTokens >= 1, "context", ContextTokens, "1 or more");
        Require(KvBytes is null or >= 0, "kv_bytes", KvBytes ?? 0, "0 or more");
        Require(StateSlots is null or >= 1, "state_slots", StateSlots ?? 0, "1 or more");
        if (ExpertVisits is not { } visits)
            return;
        Require(visits.Count == shape.Layers.Count, "expert_visits", visits.Count, $"counts for each of the {shape.Layers.Count} layers");
        for (var layer = 0; layer < visits.Count; layer++)
        {
            var (given, has) = (visits[layer].Count, shape.Layers[layer].ExpertCount);
            if (given != has || visits[layer].Any(count => count < 0))
                throw new PlacementException(PlacementFault.BadWish, $"expert_visits: layer {layer} has {given} counts. Give one of 0 or more for each of its {has} experts.");
        }
    }

    private static void Require(bool holds, string field, long value, string remedy)
    {
        if (!holds)
            throw new PlacementException(PlacementFault.BadWish, $"{field} is {value}. Give {remedy}.");
    }
}
