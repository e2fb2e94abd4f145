using Slm.Engine.Execution;
using Slm.Engine.Kernels;

namespace Slm.Engine.Blocks;

/// <summary>Experts that stay in this process's memory: all of a layer, or those of a group.</summary>
internal sealed unsafe class ResidentExperts : IExperts
{
    private readonly Linear[] _gate, _up, _down;
    private readonly int[] _places;
    private readonly ExpertProducts _products;

    /// <param name="experts">Those that are here, ascending.</param>
    /// <param name="gate">Of each of them [feed-forward, hidden].</param>
    /// <param name="up">Of each of them [feed-forward, hidden].</param>
    /// <param name="down">Of each of them [hidden, feed-forward].</param>
    /// <param name="function">Function on the gate.</param>
    public ResidentExperts(IReadOnlyList<int> experts, Linear[] gate, Linear[] up, Linear[] down, GateFunction function)
    {
        _gate = gate;
        _up = up;
        _down = down;
        _places = new int[experts[^1] + 1];
        for (var i = 0; i < experts.Count; i++)
            _places[experts[i]] = i;
        _products = new ExpertProducts(gate.Length, function);
    }

    /// <inheritdoc/>
    public bool WantInt8 => _gate[0].WantsInt8 || _up[0].WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context, ExpertBatch batch) => Forward(context, batch, batch.Active);

    /// <summary>Fills <see cref="ExpertBatch.Outputs"/> of the visits to some of the visited experts, all of which are here.</summary>
    public void Forward(StepContext context, ExpertBatch batch, ReadOnlySpan<int> active)
    {
        for (var i = 0; i < active.Length; i++)
        {
            var place = _places[active[i]];
            _products.Set(i, Input(context, batch, active[i], _gate[place], batch.Gate), Input(context, batch, active[i], _up[place], batch.Up));
        }

        _products.RunGate(context, batch, active, _down[0].Columns, _down[0].WantsInt8);
        for (var i = 0; i < active.Length; i++)
        {
            var down = _down[_places[active[i]]];
            nint begin = batch.Begin(active[i]);
            var task = down.Task(context, batch.Gate + (begin * down.Columns), batch.Count(active[i]), batch.Outputs + (begin * down.Rows));
            _products.SetDown(i, ExpertProducts.Place(in task, batch.GateInt8, batch.GateScales, begin));
        }

        _products.RunDown(context, active.Length);
    }

    private static MatMulTask Input(StepContext context, ExpertBatch batch, int expert, Linear matrix, float* y)
    {
        nint begin = batch.Begin(expert);
        var task = matrix.Task(context, batch.Inputs + (begin * matrix.Columns), batch.Count(expert), y + (begin * matrix.Rows));
        return ExpertProducts.Place(in task, batch.Int8, batch.Scales, begin);
    }
}
