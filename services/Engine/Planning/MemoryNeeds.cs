using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Bytes that stages and groups of experts take.</summary>
internal sealed class MemoryNeeds(ModelShape shape, PlanningTerms terms)
{
    private readonly long _kvBytes = terms.KvBytes ?? checked(terms.ContextTokens * (long)terms.Streams * shape.KvBytesPerPosition);
    private readonly long _kvPerPosition = shape.KvBytesPerPosition;
    private readonly int _slots = terms.StateSlots ?? checked(2 * terms.Streams);

    /// <summary>Describes a stage.</summary>
    public StagePlan Stage(LayerRange range, string machine, IReadOnlyList<ExpertGroupPlan> groups) => new()
    {
        Range = range,
        Machine = machine,
        WeightBytes = WeightBytes(range, groups.Count == 0),
        KvBytes = KvBytes(range),
        StateBytes = checked(_slots * shape.StateBytes(range)),
        ScratchBytes = ScratchBytes(range),
        ExpertGroups = groups,
    };

    /// <summary>Bytes of a stage on its machine.</summary>
    public long StageBytes(LayerRange range, bool experts) =>
        checked(WeightBytes(range, experts) + KvBytes(range) + (_slots * shape.StateBytes(range)) + ScratchBytes(range));

    private long WeightBytes(LayerRange range, bool experts) => shape.WeightBytes(range) - (experts ? 0 : shape.ExpertsBytes(range));

    /// <summary>The range's share of keys and values, rounded up.</summary>
    private long KvBytes(LayerRange range) =>
        _kvPerPosition == 0 ? 0 : (long)((((Int128)_kvBytes * shape.KvBytes(range)) + _kvPerPosition - 1) / _kvPerPosition);

    private long ScratchBytes(LayerRange range)
    {
        var logits = range.End == shape.Layers.Count ? checked((long)terms.Streams * shape.VocabSize * sizeof(float)) : 0;
        return checked((terms.MaxStepTokens * shape.ScratchBytesPerToken) + logits);
    }
}
