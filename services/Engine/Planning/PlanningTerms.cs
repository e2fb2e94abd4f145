using Slm.Engine.Wire;

namespace Slm.Engine.Planning;

/// <summary>What a placement must make room for, and the load it is made for.</summary>
public sealed record PlanningTerms
{
    /// <summary>Bytes of keys and values over all layers, for each replica; null for one sequence of the model's context.</summary>
    public long? KvBytes { get; init; }

    /// <summary>Slots of recurrent state; not used by a model without recurrent layers.</summary>
    public int StateSlots { get; init; } = 8;

    /// <summary>Most tokens of a step: the room for activations, and the chunk of a prefill.</summary>
    public int MaxStepTokens { get; init; } = 512;

    /// <summary>Positions that a sequence holds where speed is predicted.</summary>
    public int ContextTokens { get; init; } = 512;

    /// <summary>Sequences at a time, over all replicas, that the number of micro-batches is chosen for.</summary>
    public int Streams { get; init; } = 1;

    /// <summary>The machine that asks; preferred among equals.</summary>
    public string? LocalMachine { get; init; }

    /// <summary>What activations travel as.</summary>
    public WireFormat WireFormat { get; init; } = WireFormat.F16;

    /// <summary>Visits of each expert, [layer][expert], which groups are balanced by; null counts all alike.</summary>
    public IReadOnlyList<IReadOnlyList<long>>? ExpertVisits { get; init; }
}
