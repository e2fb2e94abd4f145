using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>
/// Experts in this process's memory: gated feed-forwards y = W_down · (f(W_gate·x) ⊙ W_up·x), each over all of its visits.
/// The products of all experts run in one parallel region, so a decode step pays for two regions and not for two per expert.
/// </summary>
internal sealed unsafe class ResidentExperts : IExperts
{
    private readonly Linear[] _gate, _up, _down;
    private readonly GateFunction _function;
    private readonly MatMulTask[] _first, _second;

    /// <param name="gate">Per expert [feed-forward, hidden].</param>
    /// <param name="up">Per expert [feed-forward, hidden].</param>
    /// <param name="down">Per expert [hidden, feed-forward].</param>
    /// <param name="function">Function on the gate.</param>
    public ResidentExperts(Linear[] gate, Linear[] up, Linear[] down, GateFunction function)
    {
        _gate = gate;
        _up = up;
        _down = down;
        _function = function;
        _first = new MatMulTask[gate.Length];
        _second = new MatMulTask[gate.Length];
    }

    /// <inheritdoc/>
    public bool WantInt8 => _gate[0].WantsInt8 || _up[0].WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context, ExpertBatch batch)
    {
        var active = batch.Active;
        for (var i = 0; i < active.Length; i++)
        {
            _first[i] = Task(context, batch, active[i], _gate[active[i]], batch.Inputs, batch.Gate);
            _second[i] = Task(context, batch, active[i], _up[active[i]], batch.Inputs, batch.Up);
        }

        var gate = new GateWork(context, _first, _second, active.Length, context.Kernels.Gate(_function));
        context.Workers.Run(gate.Parts, ref gate);
        if (_down[0].WantsInt8)
        {
            var quantize = new QuantizeVisitsWork(batch, _down[0].Columns);
            context.ForEachToken(batch.Visits, ref quantize);
        }

        for (var i = 0; i < active.Length; i++)
            _first[i] = Task(context, batch, active[i], _down[active[i]], batch.Gate, batch.Outputs);
        var down = new GateWork(context, _first, null, active.Length, null);
        context.Workers.Run(down.Parts, ref down);
    }

    private static MatMulTask Task(StepContext context, ExpertBatch batch, int expert, Linear matrix, float* x, float* y)
    {
        nint begin = batch.Begin(expert);
        var task = matrix.Task(context, x + (begin * matrix.Columns), batch.Count(expert), y + (begin * matrix.Rows));
        task.XInt8 = batch.Int8 + (begin * matrix.Columns);
        task.XScales = batch.Scales + (begin * (matrix.Columns / ActivationQuantizer.BlockSize));
        return task;
    }

    /// <summary>Some rows of one expert's product or of both, then their gate.</summary>
    private readonly struct GateWork : IParallelWork
    {
        private readonly StepContext _context;
        private readonly MatMulTask[] _products;
        private readonly MatMulTask[]? _factors;
        private readonly delegate*<float*, float*, int, void> _function;
        private readonly int _partRows, _partsEach;

        public GateWork(StepContext context, MatMulTask[] products, MatMulTask[]? factors, int experts, delegate*<float*, float*, int, void> function)
        {
            _context = context;
            _products = products;
            _factors = factors;
            _function = function;
            _partRows = ProductsWork.PartRows(products[0].Rows * experts, in products[0], context.Workers.Threads);
            _partsEach = (products[0].Rows + _partRows - 1) / _partRows;
            Parts = experts * _partsEach;
        }

        public int Parts { get; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            ref readonly var product = ref _products[part / _partsEach];
            var begin = part % _partsEach * _partRows;
            var end = Math.Min(product.Rows, begin + _partRows);
            product.Run(begin, end, _context.Scratch(worker));
            if (_factors is null)
                return;
            ref readonly var factor = ref _factors[part / _partsEach];
            factor.Run(begin, end, _context.Scratch(worker));
            for (nint token = 0; token < product.Tokens; token++)
            {
                var at = (token * product.Rows) + begin;
                _function(product.Y + at, factor.Y + at, end - begin);
            }
        }
    }

    private readonly struct QuantizeVisitsWork(ExpertBatch batch, int columns) : IParallelWork
    {
        public void Execute(int part, int worker) => ActivationQuantizer.Quantize(
            batch.Gate + ((nint)part * columns), batch.Int8 + ((nint)part * columns), batch.Scales + ((nint)part * (columns / ActivationQuantizer.BlockSize)), columns);
    }
}
