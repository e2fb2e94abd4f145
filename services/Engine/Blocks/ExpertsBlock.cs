using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Blocks;

/// <summary>
/// Mixture of experts: x += Σ w_e · expert_e(n) over the experts that the router chose, n = norm(x). The sum runs over ascending
/// experts, one token at a time, so a token's result does not depend on who else visits.
/// </summary>
internal sealed unsafe class ExpertsBlock : IBlock
{
    public required Norm InputNorm { get; init; }

    /// <summary>Reads n; null if an <see cref="EarlyRouterBlock"/> has chosen already.</summary>
    public required Router? Router { get; init; }

    public required IExperts Experts { get; init; }

    /// <summary>Rows to and from experts are rounded to what <see cref="WireFormat.F16"/> says exactly: then it does not matter which of them travel.</summary>
    public bool Rounded { get; init; }

    /// <summary>Counts the visits to the experts that are held here.</summary>
    public required VisitCounts Visits { get; init; }

    /// <summary>The expert that every token visits.</summary>
    public SharedExpert? Shared { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var batch = context.Experts!;
        InputNorm.Forward(context, context.Hidden, context.Tokens, (Router?.WantsInt8 ?? false) || (Shared?.WantsInt8 ?? false));
        Router?.Forward(context, context.Normed);
        var gather = new GatherWork(context, batch, InputNorm.Size, Rounded, Experts.WantInt8);
        context.ForEachToken(context.Tokens, ref gather);
        Experts.Forward(context, batch);
        Visits.Add(batch);
        var combine = new CombineWork(context, batch, InputNorm.Size, Rounded);
        context.ForEachToken(context.Tokens, ref combine);
        Shared?.Forward(context);
    }

    /// <summary>One token's input to all of its visits.</summary>
    private readonly struct GatherWork(StepContext context, ExpertBatch batch, int size, bool round, bool quantize) : IParallelWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var row = context.Normed + ((nint)part * size);
            foreach (nint visit in batch.VisitsOf(part))
            {
                var input = batch.Inputs + (visit * size);
                NativeMemory.Copy(row, input, (nuint)size * sizeof(float));
                if (round)
                    HalfRow.Round(new Span<float>(input, size), new Span<Half>(context.Scratch(worker), size));
                if (quantize)
                    ActivationQuantizer.Quantize(input, batch.Int8 + (visit * size), batch.Scales + (visit * (size / ActivationQuantizer.BlockSize)), size);
            }
        }
    }

    /// <summary>The weighted outputs of one token's visits, in order, to the residual stream.</summary>
    private readonly struct CombineWork(StepContext context, ExpertBatch batch, int size, bool round) : IParallelWork
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            var hidden = context.Hidden + ((nint)part * size);
            var weights = batch.Weights(part);
            var visits = batch.VisitsOf(part);
            var sum = context.Scratch(worker);
            NativeMemory.Clear(sum, (nuint)size * sizeof(float));
            for (var i = 0; i < visits.Length; i++)
            {
                var output = batch.Outputs + ((nint)visits[i] * size);
                if (round)
                    HalfRow.Round(new Span<float>(output, size), new Span<Half>(sum + size, size));
                WeightedSum.Add(output, weights[i], sum, size);
            }

            WeightedSum.Add(sum, 1, hidden, size);
        }
    }
}
