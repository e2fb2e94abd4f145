using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>f(W_gate·x) ⊙ W_up·x, the first half of a gated feed-forward (Shazeer 2020).</summary>
internal sealed unsafe class GatedProducts(Linear gate, Linear up, GateFunction function) : IFeedForwardProducts
{
    /// <inheritdoc/>
    public bool WantInt8 => gate.WantsInt8 || up.WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context, float* x)
    {
        var work = new GateWork(
            context, gate.Task(context, x, context.Tokens, context.Gate), up.Task(context, x, context.Tokens, context.Up), context.Kernels.Gate(function), function == GateFunction.Relu);
        context.Workers.Run(work.Parts, ref work);
    }

    /// <summary>The same rows of both products, then their gate.</summary>
    private readonly struct GateWork : IParallelWork
    {
        private readonly StepContext _context;
        private readonly MatMulTask _gate, _up;
        private readonly delegate*<float*, float*, int, void> _function;
        private readonly int _partRows;
        private readonly bool _closes;

        public GateWork(StepContext context, in MatMulTask gate, in MatMulTask up, delegate*<float*, float*, int, void> function, bool closes)
        {
            _closes = closes;
            _context = context;
            _gate = gate;
            _up = up;
            _function = function;
            _partRows = ProductsWork.PartRows(gate.Rows, in gate, context.Workers.Threads);
            Parts = (gate.Rows + _partRows - 1) / _partRows;
        }

        public int Parts { get; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var begin = part * _partRows;
            var end = Math.Min(_gate.Rows, begin + _partRows);
            _gate.Run(begin, end, _context.Scratch(worker));
            if (_closes)
                ActiveRows.Run(in _gate, in _up, begin, end, _context.Scratch(worker));
            else
                _up.Run(begin, end, _context.Scratch(worker));
            for (nint token = 0; token < _gate.Tokens; token++)
            {
                var at = (token * _gate.Rows) + begin;
                _function(_gate.Y + at, _up.Y + at, end - begin);
            }
        }
    }
}
