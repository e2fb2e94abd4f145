using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <content>
/// What happens when a part of the pipeline is gone: all steps in flight end, the pipeline is made whole, and what it lost
/// is computed again from the tokens, so that answers go on as if nothing had been. Requests come, go and expire meanwhile.
/// </content>
public sealed partial class Scheduler
{
    /// <summary>Recoveries in a row without a step that succeeded, after which the pipeline counts as gone.</summary>
    private const int MostFruitless = 16;

    private Exception? _lost;
    private Task<PipelineRecovery>? _recovery;
    private long _lostAt;
    private long _recoveries;
    private int _fruitless;

    /// <summary>Steps in flight when another failed, whose results are not to be relied on.</summary>
    private int _doubtful;

    /// <summary>A step is lost: its sequences wait, and nothing more is begun.</summary>
    private void Lose(StepPart part, Exception error)
    {
        foreach (var item in part.Items)
            item.Sequence.Lost = true;
        _plan.Return(part);
        Abandon();
        if (_lost is not null)
            return;
        _lost = error;
        _lostAt = _time.GetTimestamp();
    }

    /// <summary>Has the pipeline made whole, once nothing is in flight; false while that has to be waited for.</summary>
    private bool Recover()
    {
        if (_flights.Count > 0)
            return false;
        _doubtful = 0;
        if (_recovery is null)
        {
            var lost = _lost!;
            _recovery = ++_fruitless > MostFruitless
                ? Task.FromException<PipelineRecovery>(lost)

                // Whatever it does, the loop goes on.
                : Task.Run(() => _pipeline.RecoverAsync(lost, _abort.Token).AsTask());
            _recovery.GetAwaiter().UnsafeOnCompleted(_signal);
        }

        if (!_recovery.IsCompleted)
            return false;
        var recovery = _recovery;
        _recovery = null;
        _lost = null;
        try
        {
            _plan.Restart(recovery.GetAwaiter().GetResult().StateLost);
            Interlocked.Increment(ref _recoveries);
            EngineMetrics.RecoverySeconds.Record(_time.GetElapsedTime(_lostAt).TotalSeconds, _tag);
        }
#pragma warning disable CA1031 // Whatever went wrong, whoever waits is told to try again.
        catch (Exception error)
#pragma warning restore CA1031
        {
            _fruitless = 0;
            _plan.ForgetPrefixes();
            TimeSpan delay;
            lock (_gate)
                delay = RetryAfter(1);
            FailAll(error as PipelineUnavailableException ?? new PipelineUnavailableException($"A part of the model is gone, and nothing has taken its place: {error.Message}", delay, error));
        }

        return true;
    }
}
