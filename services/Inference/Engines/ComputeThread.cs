namespace Slm.Inference.Engines;

/// <summary>
/// One thread that computes for the whole silo, so that Orleans' own threads never do, and so that the steps of several
/// models take turns instead of competing for the worker threads.
/// </summary>
internal sealed class ComputeThread : IDisposable
{
    private readonly Queue<Action> _work = [];
    private readonly Thread _thread;
    private bool _stopping;

    public ComputeThread()
    {
        _thread = new Thread(Loop) { IsBackground = true, Name = "slm compute" };
        _thread.Start();
    }

    /// <summary>Runs <paramref name="work"/> after what was queued before.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_work)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            _work.Enqueue(() =>
            {
                try
                {
                    done.SetResult(work());
                }
#pragma warning disable CA1031 // It is the awaiter's.
                catch (Exception error)
#pragma warning restore CA1031
                {
                    done.SetException(error);
                }
            });
            Monitor.Pulse(_work);
        }
        return done.Task;
    }

    /// <summary>Ends the thread after what is queued.</summary>
    public void Dispose()
    {
        lock (_work)
        {
            _stopping = true;
            Monitor.Pulse(_work);
        }
        _thread.Join();
    }

    private void Loop()
    {
        while (true)
        {
            Action next;
            lock (_work)
            {
                while (_work.Count == 0 && !_stopping)
                    Monitor.Wait(_work);
                if (_work.Count == 0)
                    return;
                next = _work.Dequeue();
            }
            next();
        }
    }
}
