using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>The work of one step over any range of layers.</summary>
/// <remarks>
/// A layer reads its dense weights once, the experts that some token visits once, and of each sequence the keys and values of
/// the positions that are seen; recurrent state is read and written. The first layer's stage reads a row of the embedding for
/// each token, the last one's the head.
/// </remarks>
internal sealed class StepWork
{
    private readonly ModelShape _shape;
    private readonly StepLoad _load;
    private readonly Work[] _dense;
    private readonly Work[] _experts;

    public StepWork(ModelShape shape, StepLoad load, ExpertOdds odds)
    {
        _shape = shape;
        _load = load;
        _dense = new Work[shape.Layers.Count + 1];
        _experts = new Work[shape.Layers.Count + 1];
        for (var i = 0; i < shape.Layers.Count; i++)
        {
            var layer = shape.Layers[i];
            var (dense, experts) = (default(Work), default(Work));
            if (load.Prefills || !layer.Encodes)
            {
                var seen = layer.Seen(load.Seen);
                dense = new Work(
                    layer.DenseBytes,
                    load.Tokens * layer.DenseMultiplyAdds,
                    load.Sequences * ((seen * layer.KvBytesPerPosition) + (2.0 * layer.StateBytes)),
                    load.Tokens * seen * layer.AttentionMultiplyAdds);
                experts = layer.ExpertCount == 0 ? default
                    : new Work(odds.Distinct(i, load.Tokens) * layer.ExpertBytes, (double)load.Tokens * layer.ExpertsUsed * layer.ExpertMultiplyAdds, 0, 0);
            }

            _dense[i + 1] = _dense[i] + dense;
            _experts[i + 1] = _experts[i] + experts;
        }
    }

    /// <summary>The work of a stage.</summary>
    /// <param name="range">Its layers.</param>
    /// <param name="experts">Whether it has the experts of its layers.</param>
    public Work Of(LayerRange range, bool experts)
    {
        var work = _dense[range.End] - _dense[range.First];
        if (experts)
            work += _experts[range.End] - _experts[range.First];
        if (range.First == 0)
            work += new Work((double)_load.Tokens * _shape.EmbeddingRowBytes, 0, 0, 0);
        if (range.End == _shape.Layers.Count)
            work += new Work(_shape.HeadBytes, _load.Rows * _shape.HeadMultiplyAdds, 0, 0);
        return work;
    }
}
