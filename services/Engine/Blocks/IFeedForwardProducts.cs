using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>The first half of a feed-forward: from the residual stream to its width, and the function there.</summary>
internal unsafe interface IFeedForwardProducts
{
    /// <summary>The products read int8 activations.</summary>
    bool WantInt8 { get; }

    /// <summary>Fills <see cref="StepContext.Gate"/> from <paramref name="x"/>, whose quantized form the context has if wanted.</summary>
    void Forward(StepContext context, float* x);
}
