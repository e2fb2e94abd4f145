using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>What a machine's measured speed says of steps that it runs, to be compared with what they take.</summary>
public static class StepPrediction
{
    /// <summary>Seconds of one token through some layers that hold all their experts.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="range">The layers.</param>
    /// <param name="speed">The machine.</param>
    /// <param name="context">Positions that the sequence holds.</param>
    public static double Seconds(ModelShape shape, LayerRange range, MachineSpeed speed, int context)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(speed);
        var machine = new MachineSpec
        {
            Name = "this",
            HostId = "this",
            Threads = 1,
            FreeMemoryBytes = 0,
            ReadBytesPerSecond = speed.ReadBytesPerSecond,
            MultiplyAddsPerSecond = speed.MultiplyAddsPerSecond,
            FloatMultiplyAddsPerSecond = speed.FloatMultiplyAddsPerSecond,
        };
        return new StepWork(shape, StepLoad.Decode(1, context), new ExpertOdds(shape, null)).Of(range, experts: true).Seconds(machine);
    }
}
