using System.Diagnostics;
using System.Globalization;
using Slm.Engine.Planning;
using Slm.Engine.Threading;

namespace Slm.Benchmarks;

/// <summary>What a machine announces to the planner.</summary>
internal static class MachineSpeedMeasurement
{
    public static int Run(int threads)
    {
        using var workers = new WorkerPool(threads);
        var clock = Stopwatch.StartNew();
        var speed = MachineSpeed.Measure(workers);
        var seconds = clock.Elapsed.TotalSeconds;
        var memory = MachineMemory.Read();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{threads} threads: reads {speed.ReadBytesPerSecond / 1e9:F1} GB/s, {speed.MultiplyAddsPerSecond / 1e9:F1} GMAC/s, measured in {seconds:F2} s; {memory.FreeBytes >> 20} MiB free, {memory.HostFreeBytes >> 20} MiB on the host"));
        return 0;
    }
}
