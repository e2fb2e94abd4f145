using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>Blocks that run only while an encoder-decoder model encodes, or only while it does not.</summary>
internal sealed class PhaseBlock(bool encodes, params IBlock[] blocks) : IBlock
{
    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        if (context.Encodes != encodes)
            return;
        foreach (var block in blocks)
            block.Forward(context);
    }
}
