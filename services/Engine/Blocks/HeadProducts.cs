using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>One product per head, each with a matrix of its own: inputs and outputs lie head by head, [heads, tokens, size].</summary>
internal sealed unsafe class HeadProducts(Linear[] matrices)
{
    private readonly MatMulTask[] _tasks = new MatMulTask[matrices.Length];

    /// <summary>Computes all heads.</summary>
    public void Forward(StepContext context, float* x, float* y)
    {
        for (var head = 0; head < matrices.Length; head++)
        {
            var matrix = matrices[head];
            var first = (nint)head * context.Tokens;
            _tasks[head] = matrix.Task(context, x + (first * matrix.Columns), context.Tokens, y + (first * matrix.Rows));
        }

        var work = new Work(context, _tasks);
        context.Workers.Run(_tasks.Length, ref work);
    }

    private readonly struct Work(StepContext context, MatMulTask[] tasks) : IParallelWork
    {
        public void Execute(int part, int worker) => tasks[part].Run(0, tasks[part].Rows, context.Scratch(worker));
    }
}
