using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>f(W_up·x), a feed-forward without gate.</summary>
internal sealed unsafe class PlainProduct(Linear up, GateFunction function) : IFeedForwardProducts
{
    /// <inheritdoc/>
    public bool WantInt8 => up.WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context, float* x)
    {
        var work = new Work(context, up.Task(context, x, context.Tokens, context.Gate), context.Kernels.Activation(function));
        context.Workers.Run(work.Parts, ref work);
    }

    private readonly struct Work : IParallelWork
    {
        private readonly StepContext _context;
        private readonly MatMulTask _up;
        private readonly delegate*<float*, int, void> _function;
        private readonly int _partRows;

        public Work(StepContext context, in MatMulTask up, delegate*<float*, int, void> function)
        {
            _context = context;
            _up = up;
            _function = function;
            _partRows = ProductsWork.PartRows(up.Rows, in up, context.Workers.Threads);
            Parts = (up.Rows + _partRows - 1) / _partRows;
        }

        public int Parts { get; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var begin = part * _partRows;
            var end = Math.Min(_up.Rows, begin + _partRows);
            _up.Run(begin, end, _context.Scratch(worker));
            for (nint token = 0; token < _up.Tokens; token++)
                _function(_up.Y + (token * _up.Rows) + begin, end - begin);
        }
    }
}
