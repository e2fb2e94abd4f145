using System.Runtime.CompilerServices;
using Slm.Engine.Execution;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>RMSNorm over the residual stream, or LayerNorm.</summary>
internal sealed unsafe class Norm(PinnedArray weight, float epsilon)
{
    /// <summary>Elements of a row.</summary>
    public int Size => weight.Length;

    /// <summary>Takes the mean from the row first: LayerNorm.</summary>
    public bool Centred { get; init; }

    /// <summary>Added in the end, of a LayerNorm; null: nothing.</summary>
    public PinnedArray? Bias { get; init; }

    /// <summary>Normalizes <paramref name="rows"/> rows of <paramref name="x"/> into <see cref="StepContext.Normed"/>.</summary>
    public void Forward(StepContext context, float* x, int rows, bool quantize)
    {
        var work = new Work(this, context, x, context.Normed, quantize);
        context.ForEachToken(rows, ref work);
    }

    /// <summary>Normalizes rows in place.</summary>
    public void Rows(StepContext context, float* x, int rows)
    {
        var work = new Work(this, context, x, x, quantize: false);
        context.ForEachToken(rows, ref work);
    }

    /// <summary>Normalizes one row in place: a head of queries or keys.</summary>
    public void InPlace(StepContext context, float* x) => Row(context, x, x);

    private void Row(StepContext context, float* x, float* y)
    {
        if (Centred)
            context.Kernels.LayerNorm(x, weight.Pointer, Bias is null ? null : Bias.Pointer, y, weight.Length, epsilon);
        else
            context.Kernels.RmsNorm(x, weight.Pointer, y, weight.Length, epsilon);
    }

    private readonly struct Work(Norm norm, StepContext context, float* x, float* y, bool quantize) : IParallelWork
    {
        private readonly float* _x = x, _y = y;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var size = norm.Size;
            var target = _y + ((nint)part * size);
            norm.Row(context, _x + ((nint)part * size), target);
            if (quantize)
                ActivationQuantizer.Quantize(target, context.Int8 + ((nint)part * size), context.Scales + ((nint)part * (size / 32)), size);
        }
    }
}
