using Slm.Engine.Execution;
using Slm.Engine.Kernels;

namespace Slm.Engine.Blocks;

/// <summary>Gated feed-forward (Shazeer 2020): x += W_down · (f(W_gate·n) ⊙ W_up·n), n = norm(x).</summary>
internal sealed unsafe class FeedForwardBlock : IBlock
{
    public required Norm InputNorm { get; init; }

    public required GatedProducts Products { get; init; }

    public required Residual Down { get; init; }

    public GateFunction Function { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        InputNorm.Forward(context, context.Hidden, context.Tokens, Products.WantInt8);
        Products.Forward(context, context.Normed, Function);
        Down.Add(context, context.Gate);
    }
}
