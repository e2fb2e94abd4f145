using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>x = norm(x): after a sublayer, where the norm is not before it, and behind an encoder's last layer.</summary>
internal sealed unsafe class NormBlock(Norm norm) : IBlock
{
    /// <inheritdoc/>
    public void Forward(StepContext context) => norm.Rows(context, context.Hidden, context.Tokens);
}
