using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Threading;

/// <summary>
/// The engine's own threads. A parallel region costs about a microsecond while the threads are hot: they spin for a
/// short time after each region and park after that, so an idle pool uses no processor time.
/// </summary>
/// <remarks>
/// Each thread has a range of the parts, the same one in every region of as many parts, so that what a part reads stays in the
/// caches of one processor; it takes them from the front, and when it has none left, others' from the back. The caller works too
/// and waits only for parts that another thread has begun, so a thread that the operating system has not scheduled delays nobody.
/// </remarks>
public sealed unsafe class WorkerPool : IDisposable
{
    /// <summary>Most parts in one region.</summary>
    public const int MaxParts = (1 << 24) - 1;

    private static readonly long SpinTicks = Stopwatch.Frequency / 10_000;
    private static readonly long EagerTicks = Stopwatch.Frequency / 100_000;

    private readonly Thread[] _threads;
    private readonly Lock _region = new();
    private readonly object _gate = new();
    private readonly Range[] _ranges;
    private Counter _done;
    private delegate*<void*, int, int, void> _body;
    private void* _work;
    private int _parts;
    private int _parked;
    private int _roused;
    private int _awakened;
    private Exception? _failure;
    private volatile bool _disposed;

    /// <summary>Starts <paramref name="threads"/> - 1 threads; the caller of a region is the other one.</summary>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        Threads = threads;
        _ranges = GC.AllocateArray<Range>(threads + 1, pinned: true);
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Loop(worker), maxStackSize: 1 << 20) { IsBackground = true, Name = $"slm-worker-{worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Number of threads, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Threads that wait without using the processor.</summary>
    internal int Parked => Volatile.Read(ref _parked);

    /// <summary>How often threads have ended such a wait.</summary>
    internal int Awakened => Volatile.Read(ref _awakened);

    /// <summary>Runs all parts of <paramref name="work"/> and returns when they are done. Concurrent callers take turns.</summary>
    /// <exception cref="Exception">The first exception that a part threw; the other parts have run all the same.</exception>
    /// <exception cref="LockRecursionException">A part started a region.</exception>
    public void Run<T>(int parts, ref T work)
        where T : struct, IParallelWork
    {
        ArgumentOutOfRangeException.ThrowIfNegative(parts);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts, MaxParts);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (parts <= 1 || Threads == 1)
        {
            // Nobody else runs parts, but worker 0's scratch memory must not be shared with another caller's region.
            if (_region.IsHeldByCurrentThread)
                throw new LockRecursionException("A parallel part cannot start a parallel region.");
            lock (_region)
            {
                for (var part = 0; part < parts; part++)
                    work.Execute(part, 0);
            }

            return;
        }

        // A copy on this stack: workers reach it through a pointer, and it must not move.
        var local = work;
        Dispatch(parts, &Invoke<T>, Unsafe.AsPointer(ref local));
        work = local;
    }

    /// <summary>
    /// Wakes threads that are parked, because a region is about to come: they spin for it as after one. Waking takes a tenth of a
    /// millisecond where processors sleep deeply, which the caller has something else to do in.
    /// </summary>
    public void Rouse()
    {
        if (Volatile.Read(ref _parked) == 0)
            return;
        lock (_gate)
        {
            _roused++;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Stops the threads. No region may be running.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        lock (_gate)
            Monitor.PulseAll(_gate);
        foreach (var thread in _threads)
            thread.Join();
    }

    private static void Invoke<T>(void* work, int part, int worker)
        where T : struct, IParallelWork => Unsafe.AsRef<T>(work).Execute(part, worker);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Dispatch(int parts, delegate*<void*, int, int, void> body, void* work)
    {
        if (_region.IsHeldByCurrentThread)
            throw new LockRecursionException("A parallel part cannot start a parallel region.");
        lock (_region)
        {
            _body = body;
            _work = work;
            _parts = parts;
            _done.Value = 0;
            for (var worker = Threads - 1; worker >= 0; worker--)
                Volatile.Write(ref RangeOf(worker), Pack(Bound(worker), Bound(worker + 1)));
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _parked) > 0)
            {
                lock (_gate)
                    Monitor.PulseAll(_gate);
            }

            Participate(0);
            WaitForOthers(parts);
            if (_failure is { } failure)
            {
                _failure = null;
                ExceptionDispatchInfo.Throw(failure);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Participate(int worker)
    {
        var completed = 0;
        for (var owner = worker; owner < worker + Threads; owner++)
        {
            ref var range = ref RangeOf(owner % Threads);
            while (true)
            {
                var left = Volatile.Read(ref range);
                if (Begin(left) == End(left))
                    break;
                var (part, rest) = owner == worker ? (Begin(left), left + 1) : (End(left) - 1, left - (1L << 32));
                if (Interlocked.CompareExchange(ref range, rest, left) != left)
                    continue;
                Execute(part, worker);
                completed++;
            }
        }

        if (completed > 0)
            Interlocked.Add(ref _done.Value, completed);
    }

    /// <summary>Runs a part that has been claimed: the region cannot end before it is counted, so its fields are stable.</summary>
    private void Execute(int part, int worker)
    {
        try
        {
            _body(_work, part, worker);
        }
#pragma warning disable CA1031 // Rethrown by the caller of the region.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, e, null);
        }
    }

    /// <summary>
    /// The parts of a thread that nobody has claimed: the first one in the low half, the end in the high one. Whose compare and exchange
    /// succeeds has claimed one of the present region, even if what it compares with was read in another.
    /// </summary>
    private ref long RangeOf(int worker) => ref _ranges[worker + 1].Left;

    private int Bound(int worker) => (int)((((long)_parts * worker) + Threads - 1) / Threads);

    private static long Pack(int begin, int end) => ((long)end << 32) | (uint)begin;

    private static int Begin(long range) => (int)range;

    private static int End(long range) => (int)(range >> 32);

    private bool HasWork(int worker)
    {
        var range = Volatile.Read(ref RangeOf(worker));
        return Begin(range) != End(range);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WaitForOthers(int parts)
    {
        if (Volatile.Read(ref _done.Value) == parts)
            return;
        var start = Stopwatch.GetTimestamp();
        var yielding = false;
        while (Volatile.Read(ref _done.Value) != parts)
        {
            if (yielding)
                Thread.Yield();
            else
                yielding = SpinSome(ref _done.Value, parts) && Stopwatch.GetTimestamp() - start > EagerTicks;
        }
    }

    private void Loop(int worker)
    {
        while (!_disposed)
        {
            if (!SpinForWork(worker))
                Park(worker);
            Participate(worker);
        }
    }

    /// <summary>True as soon as there is a part to claim; false after a tenth of a millisecond without one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool SpinForWork(int worker)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            for (var i = 0; i < 32; i++)
            {
                if (HasWork(worker))
                    return true;
                Pause();
            }

            var elapsed = Stopwatch.GetTimestamp() - start;
            if (elapsed > SpinTicks || _disposed)
                return false;
            if (elapsed > EagerTicks)
                Thread.Yield();
        }
    }

    private void Park(int worker)
    {
        lock (_gate)
        {
            // Counted before the last look at the range: a caller either sees the count or its parts are seen here.
            Interlocked.Increment(ref _parked);
            var roused = _roused;
            while (!_disposed && roused == _roused && !HasWork(worker))
                Monitor.Wait(_gate);
            Interlocked.Decrement(ref _parked);
            _awakened++;
        }
    }

    private static bool SpinSome(ref int location, int value)
    {
        for (var i = 0; i < 32; i++)
        {
            if (Volatile.Read(ref location) == value)
                return false;
            Pause();
        }

        return true;
    }

    private static void Pause()
    {
        if (X86Base.IsSupported)
            X86Base.Pause();
        else
            Thread.SpinWait(1);
    }

    /// <summary>A contended word on a cache line pair of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Range
    {
        [FieldOffset(0)]
        public long Left;
    }

    /// <inheritdoc cref="Range"/>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Counter
    {
        [FieldOffset(128)]
        public int Value;
    }
}
