using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Planning;

namespace Slm.Inference.Cluster;

/// <summary>
/// Compares what steps of a stage take with what the machine's measured speed says. The difference is what plans for the model add for
/// every layer.
/// </summary>
/// <param name="speed">The machine.</param>
/// <param name="shape">The model.</param>
/// <param name="range">Layers of the stage, which holds all their experts.</param>
internal sealed class StepCalibration(SiloSpeed speed, ModelShape shape, LayerRange range)
{
    /// <summary>Of so many steps one is looked at.</summary>
    private const int Every = 16;

    private readonly string _kind = shape.Kind;
    private int _steps;

    /// <summary>A step has been computed.</summary>
    public void Computed(StepBatch batch, TimeSpan took)
    {
        // Of one sequence: more of them read other experts, and keys and values of other lengths.
        if (batch.Items.Length != 1 || batch.TokenCount != 1 || batch.Encodes || ++_steps % Every != 0 || speed.Known is not { } machine)
            return;
        speed.LayerTook(_kind, (took.TotalSeconds - StepPrediction.Seconds(shape, range, machine, batch.Items[0].StartPosition + 1)) / range.Count);
    }
}
