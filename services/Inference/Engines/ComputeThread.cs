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
    /// <exception cref="ObjectDisposedException">The thread ends.</exception>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        ObjectDisposedException.ThrowIf(
            !TryPost(() =>
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
            }),
            this);
        return done.Task;
    }

    /// <summary>Runs <paramref name="work"/>, which throws nothing, after what was queued before.</summary>
    /// <returns>False if the thread ends.</returns>
    public bool TryPost(Action work)
    {
        lock (_work)
        {
            if (_stopping)
                return false;
            _work.Enqueue(work);
            Monitor.Pulse(_work);
            return true;
        }
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
