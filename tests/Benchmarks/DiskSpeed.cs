using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Slm.Engine.Experts;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>How fast the disk gives one expert after the other, each in three direct reads at a time: what a miss costs.</summary>
internal static unsafe class DiskSpeed
{
    private const int Experts = 100;
    private const int Readers = 3;

    /// <summary>Measures and prints one line of JSON.</summary>
    public static int Run(string path)
    {
        using var model = ModelFile.Open(path);
        var sizes = ExpertSizes.Of(model) ?? throw new ArgumentException($"{path} has no experts.");
        var part = sizes.ExpertBytes / Readers;
        using var file = DirectFile.Open(path);
        using var barrier = new Barrier(Readers);
        // Of the file, not of a link to it.
        using var handle = File.OpenHandle(path);
        var length = RandomAccess.GetLength(handle);
        var clock = Stopwatch.StartNew();
        var threads = Enumerable.Range(0, Readers).Select(reader => new Thread(() =>
        {
            var random = new Random(reader + Environment.TickCount);
            var staging = (byte*)NativeMemory.AlignedAlloc((nuint)DirectFile.StagingBytes(part), DirectFile.Alignment);
            for (var i = 0; i < Experts; i++)
            {
                file.Read(random.NextInt64(length - part) & -DirectFile.Alignment, part, staging);
                barrier.SignalAndWait();
            }

            NativeMemory.AlignedFree(staging);
        })).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        var seconds = clock.Elapsed.TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{{\"ms\":{seconds / Experts * 1000:F3},\"mb_per_s\":{Experts * part * Readers / seconds / 1e6:F0}}}"));
        return 0;
    }
}
