using System.Diagnostics;
using System.Globalization;
using Slm.Engine.Formats;
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
            $"{threads} threads: reads {speed.ReadBytesPerSecond / 1e9:F1} GB/s, {speed.MultiplyAddsPerSecond / 1e9:F1} GMAC/s, {speed.FloatMultiplyAddsPerSecond / 1e9:F1} of floats, measured in {seconds:F2} s; {memory.FreeBytes >> 20} MiB free, {memory.HostFreeBytes >> 20} MiB on the host"));
        foreach (var tokens in new[] { 1, 2, 4, 6, 8, 12, 16, 32, 64, 256 })
        {
            // 2 MiB, which caches hold, and 128 MiB, which they do not.
            var (near, far) = (MachineSpeed.Products(workers, TensorType.Q4_0, 1 << 11, tokens), MachineSpeed.Products(workers, TensorType.Q4_0, 1 << 17, tokens));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokens,4} tokens: {near / 1e9,6:F1} GMAC/s with weights in the cache, {far / 1e9,6:F1} from memory"));
        }

        return 0;
    }
}
