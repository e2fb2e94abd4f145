using Slm.Engine.Planning;
using Slm.Inference.Engines;

namespace Slm.Inference.Cluster;

/// <summary>What this silo's machine can do, measured once, when somebody first asks.</summary>
internal sealed class SiloSpeed(SiloEngine engine)
{
    private readonly Lazy<Task<MachineSpeed>> _measured = new(() => engine.Compute.RunAsync(() => MachineSpeed.Measure(engine.Workers)));

    /// <summary>The machine: silos on one share its processors and memory. Containers of one machine have the same.</summary>
    public string Host { get; } = ReadHost();

    /// <summary>Bandwidth and speed.</summary>
    public Task<MachineSpeed> GetAsync() => _measured.Value;

    private static string ReadHost()
    {
        const string Boot = "/proc/sys/kernel/random/boot_id";
        return File.Exists(Boot) ? File.ReadAllText(Boot).Trim() : Environment.MachineName;
    }
}
