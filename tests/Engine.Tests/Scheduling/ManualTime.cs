namespace Slm.Engine.Tests.Scheduling;

/// <summary>A clock that stands still until it is told otherwise. Timers fire when it passes them.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<(long Due, TimerCallback Callback, object? State)> _timers = [];
    private long _ticks = 1;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(TimeSpan by)
    {
        List<(long Due, TimerCallback Callback, object? State)> due;
        lock (_gate)
        {
            _ticks += by.Ticks;
            due = _timers.FindAll(t => t.Due <= _ticks);
            _timers.RemoveAll(t => t.Due <= _ticks);
        }

        foreach (var (_, callback, state) in due)
            callback(state);
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
            _timers.Add((dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : _ticks + dueTime.Ticks, callback, state));
        return new Unchangeable();
    }

    private sealed class Unchangeable : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
