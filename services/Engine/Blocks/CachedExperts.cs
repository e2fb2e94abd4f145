using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Kernels;

namespace Slm.Engine.Blocks;

/// <summary>
/// Experts that are read from the model's file when they are visited and kept while their memory lasts. Those in memory are computed
/// while the others arrive, so a step with more experts than memory runs in waves; the results are those of <see cref="ResidentExperts"/>.
/// </summary>
internal sealed unsafe class CachedExperts : IExperts
{
    private readonly ExpertCache _cache;
    private readonly int _layer;
    private readonly StoredMatrices _gate, _up, _down;
    private readonly ExpertProducts _products;
    private readonly int[] _wave, _slots;

    /// <param name="cache">Holds them; this declares the layer there.</param>
    /// <param name="gate">Per expert [feed-forward, hidden].</param>
    /// <param name="up">Per expert [feed-forward, hidden].</param>
    /// <param name="down">Per expert [hidden, feed-forward].</param>
    /// <param name="function">Function on the gate.</param>
    public CachedExperts(ExpertCache cache, StoredMatrices gate, StoredMatrices up, StoredMatrices down, GateFunction function)
    {
        _cache = cache;
        (_gate, _up, _down) = (gate, up, down);
        _layer = cache.AddLayer(gate, up, down);
        var count = gate.Matrices.Length;
        _products = new ExpertProducts(count, function);
        _wave = new int[count];
        _slots = new int[count];
    }

    /// <inheritdoc/>
    public bool WantInt8 => _gate.Matrices[0].WantsInt8 || _up.Matrices[0].WantsInt8;

    /// <inheritdoc/>
    public void Announce(ExpertBatch batch)
    {
        if (_cache.Prefetches)
            _cache.Enter(_layer, batch);
    }

    /// <inheritdoc/>
    public void Forward(StepContext context, ExpertBatch batch)
    {
        if (!_cache.HasEntered(_layer))
            _cache.Enter(_layer, batch);
        try
        {
            while (_cache.Next(_wave, _slots, context.Cancellation) is var count && count > 0)
                Compute(context, batch, count);
        }
        finally
        {
            _cache.Leave();
        }
    }

    private void Compute(StepContext context, ExpertBatch batch, int count)
    {
        var inner = _down.Matrices[0];
        for (var i = 0; i < count; i++)
        {
            _products.Set(
                i,
                Input(context, batch, _wave[i], _gate.Matrices[_wave[i]], _cache.Part(_layer, _slots[i], 0), batch.Gate),
                Input(context, batch, _wave[i], _up.Matrices[_wave[i]], _cache.Part(_layer, _slots[i], 1), batch.Up));
        }

        _products.RunGate(context, batch, _wave.AsSpan(0, count), inner.Columns, inner.WantsInt8);
        for (var i = 0; i < count; i++)
        {
            var down = _down.Matrices[_wave[i]];
            nint begin = batch.Begin(_wave[i]);
            var task = down.TaskOn(
                _cache.Part(_layer, _slots[i], 2), context, batch.Gate + (begin * down.Columns), batch.Count(_wave[i]), batch.Outputs + (begin * down.Rows));
            _products.SetDown(i, ExpertProducts.Place(in task, batch.GateInt8, batch.GateScales, begin));
        }

        _products.RunDown(context, count);
    }

    private static MatMulTask Input(StepContext context, ExpertBatch batch, int expert, Linear matrix, byte* weights, float* y)
    {
        nint begin = batch.Begin(expert);
        var task = matrix.TaskOn(weights, context, batch.Inputs + (begin * matrix.Columns), batch.Count(expert), y + (begin * matrix.Rows));
        return ExpertProducts.Place(in task, batch.Int8, batch.Scales, begin);
    }
}
