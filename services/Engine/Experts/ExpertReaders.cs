using System.Runtime.InteropServices;

namespace Slm.Engine.Experts;

/// <summary>Threads that read, each into staging memory of its own. While they wait for the disk or for work they use no processor.</summary>
internal sealed unsafe class ExpertReaders : IDisposable
{
    private readonly Func<IntPtr, bool> _next;
    private readonly SemaphoreSlim _jobs = new(0);
    private readonly Thread[] _threads;
    private readonly byte*[] _staging;
    private bool _disposed;

    /// <param name="count">Number of threads.</param>
    /// <param name="stagingBytes">Memory of each.</param>
    /// <param name="next">Does one job with the memory given; false ends the thread. Never throws.</param>
    public ExpertReaders(int count, long stagingBytes, Func<IntPtr, bool> next)
    {
        _next = next;
        _staging = new byte*[count];
        _threads = new Thread[count];
        for (var i = 0; i < count; i++)
        {
            var staging = (byte*)NativeMemory.AlignedAlloc((nuint)stagingBytes, DirectFile.Alignment);
            _staging[i] = staging;
            _threads[i] = new Thread(() => Loop(staging), maxStackSize: 1 << 20) { IsBackground = true, Name = $"slm-experts-{i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>Wakes threads for so many jobs.</summary>
    public void Wake(int jobs) => _jobs.Release(jobs);

    /// <summary>Waits for the jobs that run, then ends. From now on <c>next</c> must return false.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _jobs.Release(_threads.Length);
        foreach (var thread in _threads)
            thread.Join();
        foreach (var staging in _staging)
            NativeMemory.AlignedFree(staging);
        _jobs.Dispose();
    }

    private void Loop(byte* staging)
    {
        do
            _jobs.Wait();
        while (_next((IntPtr)staging));
    }
}
