using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Execution;

namespace Slm.Benchmarks;

/// <summary>Bytes per second that a number of threads read from memory that no cache holds: what decode is compared with.</summary>
internal static unsafe class ReadBandwidth
{
    private const long Bytes = 512L << 20;

    /// <summary>Best of five passes, in GB/s.</summary>
    public static double Measure(int threads)
    {
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 64);
        MemoryAdvice.UseLargePages(memory, Bytes);
        new Span<byte>(memory, (int)Bytes).Fill(1);
        var best = 0.0;
        var sums = new ulong[threads * 16];
        for (var pass = 0; pass < 5; pass++)
        {
            var clock = Stopwatch.StartNew();
            var part = Bytes / threads;
            var workers = Enumerable.Range(0, threads).Select(t => new Thread(() => sums[t * 16] += Sum(memory + (t * part), part))).ToArray();
            foreach (var worker in workers)
                worker.Start();
            foreach (var worker in workers)
                worker.Join();
            best = Math.Max(best, Bytes / clock.Elapsed.TotalSeconds / 1e9);
        }

        NativeMemory.AlignedFree(memory);
        return sums[0] == 0 ? throw new InvalidOperationException("The memory was not read.") : best;
    }

    private static ulong Sum(byte* at, long bytes)
    {
        Vector256<ulong> a = default, b = default, c = default, d = default;
        for (var end = at + bytes; at < end; at += 128)
        {
            a += Vector256.Load((ulong*)at);
            b += Vector256.Load((ulong*)(at + 32));
            c += Vector256.Load((ulong*)(at + 64));
            d += Vector256.Load((ulong*)(at + 96));
        }

        return Vector256.Sum(a + b + c + d);
    }
}
