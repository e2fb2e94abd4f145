using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>The end of a sublayer: x += W·a, or with a norm after it or a factor x += s · norm(W·a).</summary>
internal sealed unsafe class Residual(Linear output, Norm? norm = null, float scale = 1)
{
    /// <summary>Adds the sublayer's result for <paramref name="input"/>; <see cref="StepContext.Normed"/> is free by now.</summary>
    public void Add(StepContext context, float* input)
    {
        var tokens = context.Tokens;
        if (output.WantsInt8)
        {
            var quantize = new QuantizeWork(context, input, output.Columns);
            context.ForEachToken(tokens, ref quantize);
        }

        if (norm is null && scale == 1)
        {
            output.Multiply(context, input, tokens, context.Hidden, accumulate: true);
            return;
        }

        output.Multiply(context, input, tokens, context.Normed);
        var work = new AddWork(context, output.Rows, norm, scale);
        context.ForEachToken(tokens, ref work);
    }

    private readonly struct AddWork(StepContext context, int size, Norm? norm, float scale) : IParallelWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var row = context.Normed + ((nint)part * size);
            norm?.InPlace(context, row);
            WeightedSum.Add(row, scale, context.Hidden + ((nint)part * size), size);
        }
    }
}
