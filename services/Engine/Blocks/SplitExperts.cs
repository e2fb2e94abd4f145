using Slm.Engine.Execution;
using Slm.Engine.Experts;

namespace Slm.Engine.Blocks;

/// <summary>
/// Experts of which other silos hold some. Their calls begin first and run while those held here are computed; a visit's output has
/// the bits of <see cref="ResidentExperts"/> wherever it was computed, and the sum over a token's visits keeps its order.
/// </summary>
/// <param name="layer">Index in the model.</param>
/// <param name="others">Calls the others.</param>
/// <param name="local">Those held here; null if there are none.</param>
internal sealed class SplitExperts(int layer, ExpertFanOut others, ResidentExperts? local) : IExperts
{
    /// <inheritdoc/>
    public bool WantInt8 => local?.WantInt8 ?? false;

    /// <inheritdoc/>
    public void Forward(StepContext context, ExpertBatch batch)
    {
        try
        {
            var own = others.Begin(layer, batch, context.Cancellation);
            if (own.Length > 0)
                local!.Forward(context, batch, own);
            others.Finish(context.Cancellation);
        }
        finally
        {
            others.End();
        }
    }
}
