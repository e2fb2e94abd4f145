using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>Feed-forward: x += W_down · h(norm(x)).</summary>
internal sealed unsafe class FeedForwardBlock : IBlock
{
    public required Norm InputNorm { get; init; }

    public required IFeedForwardProducts Products { get; init; }

    public required Residual Down { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        InputNorm.Forward(context, context.Hidden, context.Tokens, Products.WantInt8);
        Products.Forward(context, context.Normed);
        Down.Add(context, context.Gate);
    }
}
