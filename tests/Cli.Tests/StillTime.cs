namespace Slm.Cli.Tests;

/// <summary>A clock that stands still: pauses are over at once, and timeouts never come.</summary>
internal sealed class StillTime : TimeProvider
{
    /// <summary>Longest time that is a pause; a longer one is a timeout.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(29);

    private readonly Lock _gate = new();
    private readonly List<TimeSpan> _pauses = [];

    /// <summary>Pauses that somebody asked for, in order.</summary>
    public IReadOnlyList<TimeSpan> Pauses
    {
        get
        {
            lock (_gate)
                return [.. _pauses];
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => 0;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(StillTime time, Action fire) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == Timeout.InfiniteTimeSpan || dueTime > Patience)
                return true;
            lock (time._gate)
                time._pauses.Add(dueTime);
            ThreadPool.QueueUserWorkItem(_ => fire());
            return true;
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
