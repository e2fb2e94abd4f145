using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Planning;

/// <summary>Bytes per second that threads read from memory that no cache holds: what decode is limited by.</summary>
internal static unsafe class ReadBandwidth
{
    private const long PartBytes = 1L << 20;

    /// <summary>Best of some passes over fresh memory, in bytes per second.</summary>
    /// <param name="workers">Threads that read.</param>
    /// <param name="bytes">Memory to read, a multiple of 1 MiB that is larger than the caches.</param>
    /// <param name="passes">Passes.</param>
    public static double Measure(WorkerPool workers, long bytes, int passes)
    {
        ArgumentNullException.ThrowIfNull(workers);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, PartBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(passes, 1);
        using var memory = new NativeBuffer(bytes);
        MemoryAdvice.UseLargePages(memory.Pointer, bytes);
        var parts = (int)(bytes / PartBytes);
        using var sums = new NativeBuffer(parts * sizeof(ulong));

        // Each thread puts pages where it is near.
        var fill = new Fill(memory.Pointer);
        workers.Run(parts, ref fill);
        var best = double.PositiveInfinity;
        for (var pass = 0; pass < passes; pass++)
        {
            var read = new Read(memory.Pointer, (ulong*)sums.Pointer);
            var start = Stopwatch.GetTimestamp();
            workers.Run(parts, ref read);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        foreach (var sum in new ReadOnlySpan<ulong>(sums.Pointer, parts))
        {
            if (sum != Fill.Word * (PartBytes / sizeof(ulong)))
                throw new InvalidOperationException("The memory was not read.");
        }

        return parts * PartBytes / best;
    }

    private readonly struct Fill(byte* memory) : IParallelWork
    {
        public const ulong Word = 0x0101_0101_0101;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker) => new Span<ulong>(memory + (part * PartBytes), (int)(PartBytes / sizeof(ulong))).Fill(Word);
    }

    private readonly struct Read(byte* memory, ulong* sums) : IParallelWork
    {
        // Whole passes are over before the runtime would get to optimizing it.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Execute(int part, int worker)
        {
            Vector256<ulong> a = default, b = default, c = default, d = default;
            var at = memory + (part * PartBytes);
            for (var end = at + PartBytes; at < end; at += 128)
            {
                a += Vector256.Load((ulong*)at);
                b += Vector256.Load((ulong*)(at + 32));
                c += Vector256.Load((ulong*)(at + 64));
                d += Vector256.Load((ulong*)(at + 96));
            }

            sums[part] = Vector256.Sum(a + b + c + d);
        }
    }
}
