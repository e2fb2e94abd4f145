using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Threading;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_part_runs_once_in_every_region(int threads)
    {
        using var pool = new WorkerPool(threads);
        var counts = new int[997];
        var work = new Count(counts, threads);
        for (var region = 1; region <= 300; region++)
        {
            var parts = (region * 37 % 997) + 1;
            Array.Clear(counts);
            pool.Run(parts, ref work);
            for (var part = 0; part < counts.Length; part++)
                Assert.Equal(part < parts ? 1 : 0, counts[part]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_exception_of_a_part_reaches_the_caller_and_the_pool_goes_on(int threads)
    {
        using var pool = new WorkerPool(threads);
        var failing = new Fail();
        Assert.Equal("part 7", Assert.Throws<InvalidOperationException>(() => pool.Run(20, ref failing)).Message);
        var counts = new int[50];
        var work = new Count(counts, threads);
        pool.Run(50, ref work);
        Assert.All(counts, count => Assert.Equal(1, count));
    }

    [Fact]
    public async Task Concurrent_callers_take_turns()
    {
        using var pool = new WorkerPool(3);
        var totals = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(
            () =>
            {
                var counts = new int[64];
                for (var i = 0; i < 200; i++)
                {
                    var work = new Count(counts, 3);
                    pool.Run(64, ref work);
                }

                return counts.Sum();
            },
            TestContext.Current.CancellationToken)));
        Assert.All(totals, total => Assert.Equal(64 * 200, total));
    }

    [Fact]
    public void A_part_that_starts_a_region_is_told_so()
    {
        using var pool = new WorkerPool(2);
        var work = new Nest(pool);
        Assert.Throws<LockRecursionException>(() => pool.Run(1, ref work));
    }

    [Fact]
    public void Threads_that_are_roused_look_for_work_and_park_again()
    {
        using var pool = new WorkerPool(4);
        Assert.True(SpinWait.SpinUntil(() => pool.Parked == 3, TimeSpan.FromSeconds(30)));
        var before = pool.Awakened;
        pool.Rouse();
        Assert.True(SpinWait.SpinUntil(() => pool.Awakened == before + 3, TimeSpan.FromSeconds(30)));
        Assert.True(SpinWait.SpinUntil(() => pool.Parked == 3, TimeSpan.FromSeconds(30)));
        var counts = new int[200];
        var work = new Count(counts, 4);
        pool.Run(200, ref work);
        Assert.All(counts, count => Assert.Equal(1, count));
    }

    [Fact]
    public void Threads_park_when_idle_and_wake_for_work()
    {
        using var pool = new WorkerPool(4);
        for (var round = 0; round < 3; round++)
        {
            Assert.True(SpinWait.SpinUntil(() => pool.Parked == 3, TimeSpan.FromSeconds(30)));
            var counts = new int[200];
            var work = new Count(counts, 4);
            pool.Run(200, ref work);
            Assert.All(counts, count => Assert.Equal(1, count));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Who_is_held_up_leaves_its_other_parts_to_others(int threads)
    {
        using var pool = new WorkerPool(threads);
        var counts = new int[60];
        var work = new HoldUp(counts);
        for (var region = 0; region < 20; region++)
        {
            Array.Clear(counts);
            pool.Run(counts.Length, ref work);
            Assert.All(counts, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void A_region_allocates_nothing()
    {
        using var pool = new WorkerPool(2);
        var work = new Count(new int[16], 2);
        pool.Run(16, ref work);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            pool.Run(16, ref work);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void A_disposed_pool_refuses_work()
    {
        var pool = new WorkerPool(2);
        pool.Dispose();
        pool.Dispose();
        var work = new Count(new int[1], 2);
        Assert.Throws<ObjectDisposedException>(() => pool.Run(1, ref work));
    }

    private readonly struct Count(int[] counts, int threads) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            if ((uint)worker >= (uint)threads)
                throw new InvalidOperationException($"worker {worker} of {threads}");
            Interlocked.Increment(ref counts[part]);
        }
    }

    /// <summary>The first part ends when all others have.</summary>
    private readonly struct HoldUp(int[] counts) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            var all = counts;
            if (part == 0 && !SpinWait.SpinUntil(() => all.Skip(1).All(count => Volatile.Read(ref count) == 1), TimeSpan.FromSeconds(30)))
                throw new TimeoutException("Nobody takes the other parts.");
            Interlocked.Increment(ref counts[part]);
        }
    }

    private readonly struct Fail : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            if (part == 7)
                throw new InvalidOperationException("part 7");
        }
    }

    private readonly struct Nest(WorkerPool pool) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            var inner = new Fail();
            pool.Run(1, ref inner);
        }
    }
}
