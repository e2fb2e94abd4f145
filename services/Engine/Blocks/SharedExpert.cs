using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>The expert that every token visits, weighed by a gate of its own (Qwen2-MoE): x += σ(g·n) · expert(n).</summary>
internal sealed unsafe class SharedExpert
{
    public required GatedProducts Products { get; init; }

    public required Linear Down { get; init; }

    /// <summary>[1, hidden].</summary>
    public required Linear Weight { get; init; }

    /// <summary>Its products read int8 activations.</summary>
    public bool WantsInt8 => Products.WantInt8 || Weight.WantsInt8;

    /// <summary>Adds the result for <see cref="StepContext.Normed"/>, which is quantized if wanted.</summary>
    public void Forward(StepContext context)
    {
        var batch = context.Experts!;
        var tokens = context.Tokens;
        Weight.Multiply(context, context.Normed, tokens, batch.Scores);
        Products.Forward(context, context.Normed);
        if (Down.WantsInt8)
        {
            var quantize = new QuantizeWork(context, context.Gate, Down.Columns);
            context.ForEachToken(tokens, ref quantize);
        }

        Down.Multiply(context, context.Gate, tokens, batch.Outputs);
        var combine = new CombineWork(context, batch, Down.Rows);
        context.ForEachToken(tokens, ref combine);
    }

    private readonly struct CombineWork(StepContext context, ExpertBatch batch, int size) : IParallelWork
    {
        public void Execute(int part, int worker) => WeightedSum.Add(
            batch.Outputs + ((nint)part * size), 1 / (1 + MathF.Exp(-batch.Scores[part])), context.Hidden + ((nint)part * size), size);
    }
}
