using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>A part of a layer: reads the residual stream of the step, adds its result to it.</summary>
internal interface IBlock
{
    /// <summary>Computes all tokens of the step.</summary>
    void Forward(StepContext context);
}
