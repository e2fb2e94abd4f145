using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>Feed-forward: x += W_down · h(norm(x)), or without a norm x += W_down · h(x).</summary>
internal sealed unsafe class FeedForwardBlock : IBlock
{
    public required Norm? InputNorm { get; init; }

    public required IFeedForwardProducts Products { get; init; }

    public required Residual Down { get; init; }

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        if (InputNorm is { } norm)
            norm.Forward(context, context.Hidden, context.Tokens, Products.WantInt8);
        else
            CopyWork.Run(context, Products.WantInt8);
        Products.Forward(context, context.Normed);
        Down.Add(context, context.Gate);
    }
}
