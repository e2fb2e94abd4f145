using Slm.Engine.Execution;
using Slm.Engine.Speculation;

namespace Slm.Engine.Scheduling;

/// <content>The loop: what the scheduler's own thread does.</content>
public sealed partial class Scheduler
{
    private void Loop()
    {
        while (true)
        {
            bool stopping;
            lock (_gate)
            {
                stopping = _stopping;
                while (_inbox.TryDequeue(out var sequence))
                    _plan.Enqueue(sequence);
            }

            foreach (var sequence in _plan.Matching(static s => s.Cancelled && !s.InFlight))
            {
                if (sequence.Satisfied)
                {
                    _plan.Lengths.Add(sequence.Count - sequence.PromptLength);
                    Leave(sequence, ref _completed, null);
                }
                else
                {
                    Leave(sequence, ref _cancelled, EngineMetrics.CancelledCount);
                }
            }

            Expire(_time.GetTimestamp());
            if (_aborted)
                FailAll(new SchedulerStoppedException());
            var done = stopping && _plan.IsEmpty;
            if (done && _recovery is null)
                break;
            if (done)
                _abort.Cancel();
            if (!Advance() && !(stopping && _plan.IsEmpty && _recovery is null))
                _wake.WaitOne();
        }

        _ended.TrySetResult();
    }

    private void Expire(long now)
    {
        if (Volatile.Read(ref _deadlines) == 0)
            return;
        foreach (var sequence in _plan.Matching(s => s.Deadline <= now && s.Ended == EarlyEnd.None))
            End(sequence, new DeadlineExceededException(sequence.Terms.Timeout!.Value, sequence.Started is not null), EarlyEnd.Expired);
    }

    /// <summary>One iteration: takes the results of steps that have ended, and begins the next; false if there was nothing to do.</summary>
    private bool Advance()
    {
        try
        {
            var worked = false;
            for (; _flights.TryPeek(out var first) && first.Step.IsCompleted; worked = true)
            {
                _flights.Dequeue();
                Take(first.Part, new ValueTask<ReadOnlyMemory<float>>(first.Step));
            }

            // Whoever has gone meanwhile goes before the next step is planned.
            if (worked)
                return true;
            if (_lost is not null)
                return Recover();
            if (_planned.Count == 0 && _flights.Count < _pipeline.Depth)
                worked = Plan();
            for (; _planned.Count > 0 && _flights.Count < _pipeline.Depth; worked = true)
                Begin(_planned.Dequeue());
            return worked;
        }
#pragma warning disable CA1031 // The loop must outlive any error: whoever waits gets it, and the next request a fresh start.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Abandon();
            FailAll(new PipelineFailedException($"The scheduler failed: {error.Message}", error));
            return true;
        }
    }

    /// <summary>Plans the next steps; true if sequences lost their blocks, so that others may go on.</summary>
    private bool Plan()
    {
        var preemptions = _plan.Preemptions;
        var (looked, reused) = (_plan.PromptTokens, _plan.ReusedTokens);
        _plan.FreeSteps = _pipeline.Depth - _flights.Count;
        _plan.MayFollow = _doubtful == 0;
        Propose();
        _plan.Build(_time.GetTimestamp(), _planned);
        if (_plan.PromptTokens > looked)
            EngineMetrics.PrefixLookupCount.Add(_plan.PromptTokens - looked, _tag);
        if (_plan.ReusedTokens > reused)
            EngineMetrics.PrefixHitCount.Add(_plan.ReusedTokens - reused, _tag);
        if (_plan.Preemptions > preemptions)
            EngineMetrics.PreemptionCount.Add(_plan.Preemptions - preemptions, _tag);

        // Requests for no token and no log-probability have nothing to compute.
        foreach (var sequence in _plan.Matching(static s => s.FeedEnd == 0))
        {
            sequence.Complete(_time.GetTimestamp());
            Finish(sequence);
        }

        return _plan.Preemptions > preemptions;
    }

    /// <summary>Has tokens proposed for the sequences that can go on.</summary>
    private void Propose()
    {
        foreach (var sequence in _plan.Decoding())
        {
            ForgetProposal(sequence);
            if (sequence.Speculation is not { } state || Math.Min(state.Limit, sequence.MostPerStep - 1) is var wanted && wanted <= 0)
                continue;
            if (sequence.Forced(state.Room(wanted)) is var forced and > 0)
                state.Keep(forced);
            else if (state.Given is { } given)
                state.Keep(GivenDraft.Propose(given, sequence.Tokens[sequence.PromptLength..], state.Room(wanted)));
            else if (state.Kind == SpeculationKind.NGram)
                state.Keep(PromptLookup.Propose(sequence.Tokens, state.Room(wanted)));
            else if (state.Kind == SpeculationKind.Draft)
                _drafts!.Want((GenerationSequence)sequence, wanted);
        }

        _drafts?.Propose(_abort.Token);
    }

    /// <summary>What was proposed and not checked is of no use; the draft model has computed some of it.</summary>
    private static void ForgetProposal(Sequence sequence)
    {
        if (sequence.Speculation is not { } state)
            return;
        state.Keep(0);
        state.Computed = Math.Min(state.Computed, sequence.Count - 1);
    }

    private void ReleaseDraft(Sequence sequence)
    {
        if (sequence.Speculation is { } state)
            _drafts?.Release(state);
    }

    /// <summary>Takes the rows behind a token and what was proposed to follow it, as far as the proposals were right.</summary>
    private void Verify(in PlannedItem item, ReadOnlySpan<float> rows, int width, long now)
    {
        var (sequence, start, _, _, proposed) = item;
        var state = sequence.Speculation!;
        var accepted = 0;
        while (true)
        {
            sequence.Computed = start + accepted + 1;
            sequence.Accept(start + accepted, rows.Slice(accepted * width, width), _sampler, now);
            if (sequence.Finished || accepted == proposed || sequence.Tokens[^1] != state.Proposal[accepted])
                break;
            accepted++;
        }

        sequence.Share.Charge(ClientLedger.GeneratedWeight * accepted);
        state.Learn(proposed, accepted);
        Interlocked.Add(ref _drafted, proposed);
        Interlocked.Add(ref _accepted, accepted);
        EngineMetrics.DraftedTokenCount.Add(proposed, _tag);
        EngineMetrics.AcceptedTokenCount.Add(accepted, _tag);
    }

    private void Publish(StepPart part, ReadOnlySpan<float> rows)
    {
        var width = part.Batch.OutputRows.Length == 0 ? 0 : rows.Length / part.Batch.OutputRows.Length;
        var now = _time.GetTimestamp();
        foreach (var item in part.Items)
        {
            var (sequence, start, count, outputs, proposed) = item;
            var mine = rows[..(outputs * width)];
            rows = rows[mine.Length..];
            if (sequence.Ended != EarlyEnd.None)
                continue;
            var before = sequence.Count;
            try
            {
                if (part.Batch.Encodes)
                {
                    sequence.Encoded = true;
                    _plan.Share(sequence);
                    CountTokens(0, count);
                    continue;
                }

                if (proposed > 0)
                {
                    Verify(item, mine, width, now);
                }
                else
                {
                    if (start != sequence.Computed)
                        throw new InvalidOperationException($"A step has computed tokens from {start} on; {sequence.Computed} are computed.");
                    sequence.Computed = start + count;
                    for (var r = 0; r < outputs; r++)
                        sequence.Accept(start + count - outputs + r, mine.Slice(r * width, width), _sampler, now);
                    sequence.Speculation?.Learn(0, 0);
                }

                // The draft model may have gone astray.
                if (sequence.Speculation is { } state)
                    state.Computed = Math.Min(state.Computed, sequence.Count - 1);
                if (!sequence.Finished && sequence.Computed == sequence.FeedEnd)
                    sequence.Complete(now);
                _plan.Share(sequence);
            }
#pragma warning disable CA1031 // One sequence's error is that sequence's.
            catch (Exception error)
#pragma warning restore CA1031
            {
                Fail(sequence, error);
                continue;
            }

            CountTokens(sequence.Count - before, Math.Max(0, Math.Min(start + count, sequence.PromptLength) - start));
            if (sequence.Finished)
                Finish(sequence);
        }
    }

    private void CountTokens(int generated, int prompt)
    {
        if (generated > 0)
        {
            Interlocked.Add(ref _generated, generated);
            EngineMetrics.GeneratedTokenCount.Add(generated, _tag);
        }

        if (prompt > 0)
        {
            Interlocked.Add(ref _prompt, prompt);
            EngineMetrics.PromptTokenCount.Add(prompt, _tag);
        }
    }

    private void Finish(Sequence sequence)
    {
        var now = _time.GetTimestamp();
        lock (_gate)
            _meanRequestSeconds += 0.1 * (_time.GetElapsedTime(sequence.Submitted, now).TotalSeconds - _meanRequestSeconds);
        if (sequence is GenerationSequence { TimeToFirstToken: { } first })
        {
            _plan.Lengths.Add(sequence.Count - sequence.PromptLength);
            EngineMetrics.FirstTokenSeconds.Record(first.TotalSeconds, _tag);
            var later = sequence.Count - sequence.PromptLength - 1;
            if (later > 0)
                EngineMetrics.OutputTokenSeconds.Record((_time.GetElapsedTime(sequence.Submitted, now) - first).TotalSeconds / later, _tag);
        }

        Leave(sequence, ref _completed, null);
        sequence.Conclude();
    }

    private void Fail(Sequence sequence, Exception error)
    {
        sequence.Doubtful = true;
        End(sequence, error, EarlyEnd.Failed);
    }

    private void FailAll(Exception error)
    {
        foreach (var sequence in _plan.Matching(static s => s.Ended == EarlyEnd.None))
        {
            sequence.Doubtful = true;
            End(sequence, error, EarlyEnd.Failed);
        }
    }

    /// <summary>Ends a request with an error, at once for its client, and here when no step works on it any more.</summary>
    private void End(Sequence sequence, Exception error, EarlyEnd kind)
    {
        if (sequence.InFlight)
            sequence.Ended = kind;
        else if (kind == EarlyEnd.Expired)
            Leave(sequence, ref _expired, EngineMetrics.ExpiredCount);
        else
            Leave(sequence, ref _failed, EngineMetrics.FailedCount);
        sequence.Fail(error);
    }

    private void Leave(Sequence sequence, ref long counter, System.Diagnostics.Metrics.Counter<long>? metric)
    {
        _plan.Remove(sequence);
        ReleaseDraft(sequence);
        _adapters.Release(sequence.Adapter);
        Interlocked.Increment(ref counter);
        metric?.Add(1, _tag);
        if (sequence.Alarm is not null)
        {
            sequence.Alarm.Dispose();
            Interlocked.Decrement(ref _deadlines);
        }

        lock (_gate)
        {
            _inSystem--;
            _demand -= sequence.Demand;
        }
    }
}
