using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Gated feed-forward (Shazeer 2020): x += W_down · (silu(W_gate·n) ⊙ W_up·n), n = norm(x).</summary>
internal sealed unsafe class SwiGluBlock : IBlock
{
    public required Norm InputNorm { get; init; }

    public required Linear Gate { get; init; }

    public required Linear Up { get; init; }

    public required Linear Down { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var tokens = context.Tokens;
        InputNorm.Forward(context, context.Hidden, tokens, Gate.WantsInt8 || Up.WantsInt8);
        var work = new GateWork(
            context, Gate.Task(context, context.Normed, tokens, context.Gate), Up.Task(context, context.Normed, tokens, context.Up));
        context.Workers.Run(work.Parts, ref work);
        if (Down.WantsInt8)
        {
            var quantize = new QuantizeWork(context, context.Gate, Down.Columns);
            context.ForEachToken(tokens, ref quantize);
        }

        Down.Multiply(context, context.Gate, tokens, context.Hidden, accumulate: true);
    }

    /// <summary>The same rows of both products, then their gate.</summary>
    private readonly struct GateWork : IParallelWork
    {
        private readonly StepContext _context;
        private readonly MatMulTask _gate, _up;
        private readonly int _partRows;

        public GateWork(StepContext context, in MatMulTask gate, in MatMulTask up)
        {
            _context = context;
            _gate = gate;
            _up = up;
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
            _up.Run(begin, end, _context.Scratch(worker));
            for (nint token = 0; token < _gate.Tokens; token++)
            {
                var at = (token * _gate.Rows) + begin;
                _context.Kernels.SwiGlu(_gate.Y + at, _up.Y + at, end - begin);
            }
        }
    }
}
