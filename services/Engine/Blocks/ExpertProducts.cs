using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>
/// The arithmetic of some experts of a layer: y = W_down · (f(W_gate·x) ⊙ W_up·x), each over all of its visits. The products of
/// all experts run in one parallel region, so a decode step pays for two regions and not for two per expert. A visit's output
/// has the same bits whichever experts run together.
/// </summary>
internal sealed unsafe class ExpertProducts(int experts, GateFunction function)
{
    private readonly MatMulTask[] _first = new MatMulTask[experts];
    private readonly MatMulTask[] _second = new MatMulTask[experts];

    /// <summary>Sets the gate and up products of the <paramref name="index"/>-th expert.</summary>
    public void Set(int index, in MatMulTask gate, in MatMulTask up)
    {
        _first[index] = gate;
        _second[index] = up;
    }

    /// <summary>Sets the down product, after <see cref="RunGate"/>.</summary>
    public void SetDown(int index, in MatMulTask down) => _first[index] = down;

    /// <summary>Fills <see cref="ExpertBatch.Gate"/>, and <see cref="ExpertBatch.GateInt8"/> if wanted, of the visits to the experts.</summary>
    public void RunGate(StepContext context, ExpertBatch batch, ReadOnlySpan<int> active, int columns, bool quantize)
    {
        var gate = new GateWork(context, _first, _second, active.Length, context.Kernels.Gate(function), function == GateFunction.Relu);
        context.Workers.Run(gate.Parts, ref gate);
        if (!quantize)
            return;
        var visits = batch.List(active, out var count);
        var work = new QuantizeVisitsWork(batch, visits, columns);
        context.ForEachToken(count, ref work);
    }

    /// <summary>Fills <see cref="ExpertBatch.Outputs"/> of their visits.</summary>
    public void RunDown(StepContext context, int active)
    {
        var down = new GateWork(context, _first, null, active, null);
        context.Workers.Run(down.Parts, ref down);
    }

    /// <summary>Points a product at an expert's visits.</summary>
    public static MatMulTask Place(in MatMulTask task, sbyte* int8, ActivationScale* scales, nint firstVisit)
    {
        var placed = task;
        placed.XInt8 = int8 + (firstVisit * task.Columns);
        placed.XScales = scales + (firstVisit * (task.Columns / ActivationQuantizer.BlockSize));
        return placed;
    }

    /// <summary>Some rows of one expert's product or of both, then their gate.</summary>
    private readonly struct GateWork : IParallelWork
    {
        private readonly StepContext _context;
        private readonly MatMulTask[] _products;
        private readonly MatMulTask[]? _factors;
        private readonly delegate*<float*, float*, int, void> _function;
        private readonly int _partRows, _partsEach;
        private readonly bool _closes;

        public GateWork(
            StepContext context, MatMulTask[] products, MatMulTask[]? factors, int experts, delegate*<float*, float*, int, void> function, bool closes = false)
        {
            _closes = closes;
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
            if (_closes)
                ActiveRows.Run(in product, in factor, begin, end, _context.Scratch(worker));
            else
                factor.Run(begin, end, _context.Scratch(worker));
            for (nint token = 0; token < product.Tokens; token++)
            {
                var at = (token * product.Rows) + begin;
                _function(product.Y + at, factor.Y + at, end - begin);
            }
        }
    }

    private readonly struct QuantizeVisitsWork(ExpertBatch batch, int[] visits, int columns) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            nint visit = visits[part];
            ActivationQuantizer.Quantize(
                batch.Gate + (visit * columns), batch.GateInt8 + (visit * columns), batch.GateScales + (visit * (columns / ActivationQuantizer.BlockSize)), columns);
        }
    }
}
