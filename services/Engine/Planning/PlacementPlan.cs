using Slm.Engine.Execution;
using Slm.Engine.Wire;

namespace Slm.Engine.Planning;

/// <summary>Where a model goes, what is predicted of it, and why.</summary>
public sealed record PlacementPlan
{
    /// <summary>Pipelines that each hold the whole model.</summary>
    public required IReadOnlyList<ReplicaPlan> Replicas { get; init; }

    /// <summary>What activations travel as.</summary>
    public required WireFormat WireFormat { get; init; }

    /// <summary>What the cost model says of it.</summary>
    public required PlacementPrediction Prediction { get; init; }

    /// <summary>Sentences that say why it is this one.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }
}

/// <summary>One pipeline.</summary>
public sealed record ReplicaPlan
{
    /// <summary>Its stages, in the order of their layers.</summary>
    public required IReadOnlyList<StagePlan> Stages { get; init; }

    /// <summary>Parts that a step is cut into, which are in different stages at a time; 1 runs one stage after the other.</summary>
    public required int MicroBatches { get; init; }

    /// <summary>The machine that samples: that of the last stage, so that logits never travel.</summary>
    public string Coordinator => Stages[^1].Machine;
}

/// <summary>A range of layers on a machine.</summary>
public sealed record StagePlan
{
    /// <summary>The layers.</summary>
    public required LayerRange Range { get; init; }

    /// <summary>Name of the machine.</summary>
    public required string Machine { get; init; }

    /// <summary>Bytes of weights in this machine's memory for the stage, without <see cref="ExpertGroups"/>.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Bytes of keys and values.</summary>
    public required long KvBytes { get; init; }

    /// <summary>Bytes of recurrent state, all slots.</summary>
    public required long StateBytes { get; init; }

    /// <summary>Bytes for the activations of a step.</summary>
    public required long ScratchBytes { get; init; }

    /// <summary>Groups that hold the experts of the stage's layers; empty if the stage holds them itself.</summary>
    public required IReadOnlyList<ExpertGroupPlan> ExpertGroups { get; init; }

    /// <summary>Bytes that the stage takes of its machine.</summary>
    public long MemoryBytes => WeightBytes + KvBytes + StateBytes + ScratchBytes;
}

/// <summary>Some experts of every layer of a stage that has any, on a machine, which may be the stage's own.</summary>
public sealed record ExpertGroupPlan
{
    /// <summary>Index among the stage's groups.</summary>
    public required int Group { get; init; }

    /// <summary>Name of the machine.</summary>
    public required string Machine { get; init; }

    /// <summary>Bytes of weights.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Experts of each layer of the stage, [layer - first layer], ascending; empty for layers without experts.</summary>
    public required IReadOnlyList<IReadOnlyList<int>> Experts { get; init; }
}
