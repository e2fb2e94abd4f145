using Slm.Contracts.Grains;
using Slm.Engine.Execution;

namespace Slm.Inference.Engines;

/// <content>Steps on their way through the stages.</content>
internal sealed partial class GrainPipeline
{
    public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = StageMessages.ToRequest(batch, output);
        FlyingStep step;
        lock (_gate)
        {
            if (_broken)
                throw new PipelineLostException("The pipeline is being repaired.");
            var bytes = (long)batch.TokenCount * Config.HiddenSize * sizeof(float);
            step = new FlyingStep(_slots, _epoch, _number, bytes, _time.GetTimestamp(), _flying.Count == 0 ? null : _flying[^1].Done.Task);
            Look(batch, step);
            _flying.Add(step);
            ClusterMetrics.StepChanged(_slots[0].Spec.Model, 1);
            for (var s = step.IsPassed ? _slots.Length - 1 : 0; s < _slots.Length; s++)
                step.Calls[s] = step.Slots[s].RunAsync(request.For(s, _epoch, _number));
            if (step.IsPassed)
                _ = HandAsync(step, new StagePass(request.For(0, _epoch, _number)));
            _number++;
        }

        return FinishAsync(step, cancellationToken);
    }

    /// <summary>What is between two steps of an answer that is alone is part of its speed. Longer pauses are something else.</summary>
    private void Look(StepBatch batch, FlyingStep step)
    {
        const int Every = 16;
        const double Most = 0.05;
        step.IsOneToken = batch.TokenCount == 1 && !batch.Encodes;
        if (Turned is not { } turned || !step.IsOneToken || !step.IsAlone || Volatile.Read(ref _lastEnded) is not (> 0 and var last) || ++_turns % Every != 0)
            return;
        var seconds = _time.GetElapsedTime(last, step.Started).TotalSeconds;
        if (seconds < Most)
            turned(seconds);
    }

    private async ValueTask<ReadOnlyMemory<float>> FinishAsync(FlyingStep step, CancellationToken cancellationToken)
    {
        for (var s = 0; s < step.Calls.Length - 1 && !step.IsPassed; s++)
            _ = WatchCallAsync(step, s);
        _ = AnswerAsync(step);
        try
        {
            using var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<ReadOnlyMemory<float>>)state!).TrySetCanceled(token), step.Done);
            var rows = await step.Done.Task;
            // Steps end in the order in which they were begun; one that failed ends those behind it itself.
            await step.Before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Volatile.Write(ref _lastEnded, step.IsOneToken ? _time.GetTimestamp() : 0);
            return rows;
        }
        catch
        {
            // Stages behind the failed one wait for what never comes: a new run ends that. One stage alone waits for nobody.
            lock (_gate)
                _broken |= step.Calls.Length > 1 || StageErrors.MeansLost(step.Done.Task.Exception?.InnerException ?? new OperationCanceledException());
            throw;
        }
        finally
        {
            lock (_gate)
                _flying.Remove(step);
            ClusterMetrics.StepChanged(step.Slots[0].Spec.Model, -1);
        }
    }

    /// <summary>Hands a step to the first stage, which passes it on.</summary>
    private async Task HandAsync(FlyingStep step, StagePass pass)
    {
        try
        {
            await step.Slots[0].PassAsync(pass, _loader.Links);
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Fail(step, 0, error);
        }
    }

    /// <summary>Passes on what the last stage answers.</summary>
    private async Task AnswerAsync(FlyingStep step)
    {
        try
        {
            var result = await step.Calls[^1];
            if (step is { IsPassed: true, IsAlone: true })
                ClusterMetrics.Passed(step.Slots[0].Spec.Model, step.Remote, _time.GetElapsedTime(step.Started) - TimeSpan.FromMicroseconds(result.ComputeMicroseconds));
            step.Done.TrySetResult(result.Values.Values);
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Fail(step, step.Calls.Length - 1, error);
        }
    }

    /// <summary>Notices where an earlier stage fails.</summary>
    private async Task WatchCallAsync(FlyingStep step, int stage)
    {
        try
        {
            await step.Calls[stage];
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Fail(step, stage, error);
        }
    }

    /// <summary>Ends all steps: those of stages that are lost, and all in flight behind one that failed, can be repeated.</summary>
    private void Fail(FlyingStep failed, int stage, Exception error)
    {
        if (failed.Done.Task.IsCompleted)
            return;
        var lost = StageErrors.MeansLost(error);
        if (lost && StageErrors.Has(error, StageErrors.NextLost) && stage + 1 < failed.Slots.Length)
            AvoidSilo(failed.Slots[stage + 1].Info.Silo);
        failed.Done.TrySetException(lost ? new PipelineLostException($"Stage {failed.Slots[stage].Key} did not complete a step: {error.Message}", error) : error);
        if (failed.Slots.Length == 1 && !lost)
            return;
        Break(new PipelineLostException("A step before this one failed.", error));
    }

    /// <summary>Ends the steps in flight; none is begun before the pipeline is whole again.</summary>
    private void Break(PipelineLostException lost)
    {
        FlyingStep[] flying;
        lock (_gate)
        {
            _broken = true;
            flying = [.. _flying];
        }

        foreach (var step in flying)
            step.Done.TrySetException(lost);
    }
}
