using Slm.Engine.Execution;
using Slm.Engine.Planning;

namespace Slm.Inference.Cluster;

/// <summary>
/// Looks at some steps of a stage: what they take beyond what the machine's measured speed says is what plans for models of its kind add
/// for every layer.
/// </summary>
/// <param name="speed">The machine.</param>
/// <param name="shape">The model.</param>
/// <param name="range">Layers of the stage, which holds all their experts.</param>
internal sealed class StepCalibration(SiloSpeed speed, ModelShape shape, LayerRange range)
{
    /// <summary>Of so many steps one is looked at.</summary>
    private const int Every = 2;

    private readonly string _kind = shape.Kind;
    private int _steps;

    /// <summary>A step has been computed.</summary>
    public void Computed(StepBatch batch, TimeSpan took)
    {
        // Of one sequence: more of them read other experts, and keys and values of other lengths.
        if (batch.Items.Length == 1 && batch.TokenCount == 1 && !batch.Encodes && ++_steps % Every == 0)
            speed.StepTook(_kind, new SeenStep(shape, range, batch.Items[0].StartPosition + 1, took.TotalSeconds));
    }
}
