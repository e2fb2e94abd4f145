using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <content>Steps on their way through the pipeline.</content>
public sealed partial class Scheduler
{
    /// <summary>Begins a planned step. One that is over at once is taken at once.</summary>
    private void Begin(StepPart part)
    {
        ValueTask<ReadOnlyMemory<float>> step;
        try
        {
            step = _pipeline.ForwardAsync(part.Batch, part.Output, _abort.Token);
        }
#pragma warning disable CA1031 // Whatever a pipeline throws ends the step, not the loop.
        catch (Exception error)
#pragma warning restore CA1031
        {
            step = ValueTask.FromException<ReadOnlyMemory<float>>(error);
        }

        if (step.IsCompleted && _flights.Count == 0)
        {
            Take(part, step);
            return;
        }

        var task = step.AsTask();
        _flights.Enqueue((part, task));
        task.GetAwaiter().UnsafeOnCompleted(_signal);
        foreach (var item in part.Items)
            item.Sequence.Prepare();
    }

    /// <summary>Takes the result of a step that has ended.</summary>
    private void Take(StepPart part, ValueTask<ReadOnlyMemory<float>> step)
    {
        Land(part);
        ReadOnlyMemory<float> rows;
        try
        {
            rows = step.GetAwaiter().GetResult();
            var width = part.Output == StepOutput.Logits ? _pipeline.Config.VocabSize : _pipeline.Config.HiddenSize;
            if (rows.Length != (long)part.Batch.OutputRows.Length * width)
                throw new InvalidOperationException($"The pipeline returned {rows.Length} values for {part.Batch.OutputRows.Length} rows of {width}.");
        }
        catch (Exception error) when (error is PipelineLostException || _lost is not null)
        {
            Lose(part, error);
            return;
        }
#pragma warning disable CA1031 // Whatever a pipeline throws ends the requests of the step, not the loop.
        catch (Exception error)
#pragma warning restore CA1031
        {
            // What the failed step has taken away may be planned for others.
            Abandon();
            _plan.ForgetPrefixes();
            _doubtful = _flights.Count;
            foreach (var item in part.Items)
            {
                if (item.Sequence.Ended == EarlyEnd.None)
                    Fail(item.Sequence, new PipelineFailedException($"A step of the model failed: {error.Message}", error));
            }

            _plan.Return(part);
            return;
        }

        // A step behind one that is lost or has failed may have built on what that was to copy.
        if (_lost is not null)
        {
            Lose(part, _lost);
            return;
        }

        if (_doubtful > 0)
        {
            _doubtful--;
            _plan.Repeat(part);
            return;
        }

        _fruitless = 0;
        Interlocked.Increment(ref _steps);
        EngineMetrics.StepTokenCounts.Record(part.Batch.TokenCount, _tag);
        EngineMetrics.StepSequenceCounts.Record(part.Items.Count, _tag);
        Publish(part, rows.Span);
        _plan.Return(part);
    }

    /// <summary>The sequences of a step are in flight no more; those that have ended meanwhile leave.</summary>
    private void Land(StepPart part)
    {
        foreach (var item in part.Items)
        {
            var sequence = item.Sequence;
            if (--sequence.Flights > 0)
                continue;
            if (sequence.Ended == EarlyEnd.Expired)
                Leave(sequence, ref _expired, EngineMetrics.ExpiredCount);
            else if (sequence.Ended == EarlyEnd.Failed)
                Leave(sequence, ref _failed, EngineMetrics.FailedCount);
        }
    }

    /// <summary>Gives up the steps that are planned and not begun.</summary>
    private void Abandon()
    {
        while (_planned.TryDequeue(out var part))
        {
            foreach (var item in part.Items)
                item.Sequence.Planned = Math.Min(item.Sequence.Planned, item.Start);
            Land(part);
            _plan.Return(part);
        }
    }
}
