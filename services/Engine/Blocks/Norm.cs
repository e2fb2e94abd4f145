using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>RMSNorm over the residual stream.</summary>
internal sealed unsafe class Norm(PinnedArray weight, float epsilon)
{
    /// <summary>Elements of a row.</summary>
    public int Size => weight.Length;

    /// <summary>Normalizes <paramref name="rows"/> rows of <paramref name="x"/> into <see cref="StepContext.Normed"/>.</summary>
    public void Forward(StepContext context, float* x, int rows, bool quantize)
    {
        var work = new Work(context, x, weight.Pointer, weight.Length, epsilon, quantize);
        context.ForEachToken(rows, ref work);
    }

    /// <summary>Normalizes one row in place: a head of queries or keys.</summary>
    public void InPlace(StepContext context, float* x) => context.Kernels.RmsNorm(x, weight.Pointer, x, weight.Length, epsilon);

    private readonly struct Work(StepContext context, float* x, float* weight, int size, float epsilon, bool quantize) : IParallelWork
    {
        private readonly float* _x = x, _weight = weight;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var target = context.Normed + ((nint)part * size);
            context.Kernels.RmsNorm(_x + ((nint)part * size), _weight, target, size, epsilon);
            if (quantize)
                ActivationQuantizer.Quantize(target, context.Int8 + ((nint)part * size), context.Scales + ((nint)part * (size / 32)), size);
        }
    }
}
