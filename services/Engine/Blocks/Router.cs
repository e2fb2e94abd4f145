using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Chooses the experts of every token of a step (Shazeer et al. 2017): the largest of the scores W·x.</summary>
internal sealed unsafe class Router(Linear weights)
{
    /// <summary>The product reads int8 activations.</summary>
    public bool WantsInt8 => weights.WantsInt8;

    /// <summary>Fills the step's <see cref="ExpertBatch"/> from <paramref name="x"/> [tokens, hidden], whose quantized form the context has if wanted.</summary>
    public void Forward(StepContext context, float* x)
    {
        var batch = context.Experts!;
        weights.Multiply(context, x, context.Tokens, batch.Scores);
        var choose = new ChooseWork(batch);
        context.ForEachToken(context.Tokens, ref choose);
        batch.Sort(context.Tokens);
        context.Adapters.UseVisits(batch, context.Tokens);
    }

    private readonly struct ChooseWork(ExpertBatch batch) : IParallelWork
    {
        public void Execute(int part, int worker) => batch.Choose(part);
    }
}

/// <summary>A router that reads the residual stream as it enters the layer, before attention, so that experts can be fetched meanwhile.</summary>
internal sealed unsafe class EarlyRouterBlock(Router router, IExperts experts, int hiddenSize) : IBlock
{
    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        if (router.WantsInt8)
        {
            var quantize = new QuantizeWork(context, context.Hidden, hiddenSize);
            context.ForEachToken(context.Tokens, ref quantize);
        }

        router.Forward(context, context.Hidden);
        experts.Announce(context.Experts!);
    }
}
