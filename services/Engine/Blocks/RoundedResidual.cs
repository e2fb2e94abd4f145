using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Blocks;

/// <summary>
/// Rounds the residual stream behind a layer to what <see cref="WireFormat.F16"/> says exactly: a boundary between stages then
/// changes nothing, wherever it is.
/// </summary>
internal sealed unsafe class RoundedResidual(int size) : IBlock
{
    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var work = new RoundWork(context, size);
        context.ForEachToken(context.Tokens, ref work);
    }

    private readonly struct RoundWork(StepContext context, int size) : IParallelWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            HalfRow.Round(new Span<float>(context.Hidden + ((nint)part * size), size), new Span<Half>(context.Scratch(worker), size));
        }
    }
}
