using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>Bytes that stages and groups of experts take.</summary>
internal sealed class MemoryNeeds
{
    private readonly ModelShape _shape;
    private readonly long _kvBytes, _kvPerPosition, _scratchBytes, _logitBytes;
    private readonly int _slots;
    private readonly Sums[] _before;

    public MemoryNeeds(ModelShape shape, PlanningTerms terms)
    {
        _shape = shape;
        _before = new Sums[shape.Layers.Count + 1];
        for (var i = 0; i < shape.Layers.Count; i++)
        {
            var layer = shape.Layers[i];
            var sums = _before[i];
            _before[i + 1] = checked(new Sums(sums.Dense + layer.DenseBytes, sums.Experts + layer.ExpertsBytes, sums.Kv + layer.KvBytesPerPosition, sums.State + layer.StateBytes));
        }

        _kvPerPosition = _before[^1].Kv;
        _kvBytes = terms.KvBytes ?? checked(terms.ContextTokens * (long)terms.Streams * _kvPerPosition);
        _slots = terms.StateSlots ?? checked(2 * terms.Streams);
        _scratchBytes = checked(terms.MaxStepTokens * shape.ScratchBytesPerToken);
        _logitBytes = checked((long)terms.Streams * shape.VocabSize * sizeof(float));
    }

    /// <summary>Describes a stage.</summary>
    public StagePlan Stage(LayerRange range, string machine, IReadOnlyList<ExpertGroupPlan> groups) => new()
    {
        Range = range,
        Machine = machine,
        WeightBytes = WeightBytes(range, groups.Count == 0),
        KvBytes = KvBytes(range),
        StateBytes = StateBytes(range),
        ScratchBytes = ScratchBytes(range),
        ExpertGroups = groups,
    };

    /// <summary>Bytes of a stage on its machine.</summary>
    public long StageBytes(LayerRange range, bool experts) => checked(WeightBytes(range, experts) + KvBytes(range) + StateBytes(range) + ScratchBytes(range));

    private long WeightBytes(LayerRange range, bool experts)
    {
        var (first, last) = (range.First == 0, range.End == _shape.Layers.Count);
        var ends = _shape.CommonBytes + (first ? _shape.EmbeddingBytes : 0) + (last ? _shape.HeadBytes : 0) - (first && last ? _shape.TiedBytes : 0);
        return ends + _before[range.End].Dense - _before[range.First].Dense + (experts ? _before[range.End].Experts - _before[range.First].Experts : 0);
    }

    /// <summary>The range's share of keys and values, rounded up.</summary>
    private long KvBytes(LayerRange range) =>
        _kvPerPosition == 0 ? 0 : (long)((((Int128)_kvBytes * (_before[range.End].Kv - _before[range.First].Kv)) + _kvPerPosition - 1) / _kvPerPosition);

    private long StateBytes(LayerRange range) => checked(_slots * (_before[range.End].State - _before[range.First].State));

    private long ScratchBytes(LayerRange range) => _scratchBytes + (range.End == _shape.Layers.Count ? _logitBytes : 0);

    /// <summary>Bytes of the layers before one.</summary>
    private readonly record struct Sums(long Dense, long Experts, long Kv, long State);
}
