using Slm.Contracts.Grains;
using Slm.Engine.Execution;

namespace Slm.Inference.Engines;

/// <content>Replacing stages that are lost, moving those that have to go, and beginning anew with those there are.</content>
internal sealed partial class GrainPipeline
{
    public async ValueTask<PipelineRecovery> RecoverAsync(Exception lost, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            var slots = (StageSlot[])_slots.Clone();
            for (var tries = 0; ; tries++)
            {
                var replaced = new List<StageSlot>();
                for (var s = 0; s < slots.Length; s++)
                {
                    slots[s] = await WithLiveExpertsAsync(slots[s], cancellationToken);
                    if (!await AliveAsync(slots[s]))
                    {
                        AvoidSilo(slots[s].Info.Silo);
                        _ = UnloadQuietlyAsync(slots[s].Grain.UnloadAsync);
                        slots[s] = await _loader.ReplaceAsync(slots[s], null, Avoided(), cancellationToken);
                        replaced.Add(slots[s]);
                        ClusterMetrics.WasReplaced(slots[s].Spec.Model, "stage", "lost");
                        _stateLost = true;
                    }

                    // Kept even if something else goes wrong: it is loaded.
                    _slots = (StageSlot[])slots.Clone();
                }

                try
                {
                    await BindAsync(replaced);
                    await BeginAsync(slots);
                    break;
                }
                catch (Exception error) when (StageErrors.MeansLost(error) && tries < 3)
                {
                    // Another one was lost meanwhile.
                }
            }

            lock (_gate)
                _broken = false;
            var recovery = new PipelineRecovery(_stateLost);
            _stateLost = false;
            Changed?.Invoke();
            return recovery;
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>Moves the stages that are on a silo to others. They are loaded there first; running answers go on after a pause.</summary>
    /// <returns>Those that moved, before and after.</returns>
    public async Task<IReadOnlyList<(StageSlot From, StageSlot To)>> VacateAsync(string silo, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            AvoidSilo(silo);
            var slots = (StageSlot[])_slots.Clone();
            var moves = new List<(StageSlot From, StageSlot To)>();
            for (var s = 0; s < slots.Length; s++)
            {
                for (var group = 0; group < slots[s].Experts.Count; group++)
                {
                    if (slots[s].Experts[group].Info.Silo == silo)
                        slots[s] = await MoveExpertsAsync(slots[s], group, silo, cancellationToken);
                }

                if (slots[s].Info.Silo != silo)
                    continue;
                var to = await _loader.ReplaceAsync(slots[s], silo, Avoided(), cancellationToken);
                moves.Add((slots[s], to));
                ClusterMetrics.WasReplaced(to.Spec.Model, "stage", "drained");
                slots[s] = to;
            }

            if (moves.Count == 0)
            {
                _slots = slots;
                return moves;
            }

            await BindAsync(moves.Select(m => m.To));

            // The next step finds it broken, and recovers with the new stages.
            lock (_gate)
                (_slots, _stateLost, _broken) = (slots, true, true);
            Break(new PipelineLostException($"Stages of silo {silo} have moved."));

            foreach (var (from, _) in moves)
                await UnloadQuietlyAsync(from.Grain.UnloadAsync);
            Changed?.Invoke();
            return moves;
        }
        finally
        {
            _change.Release();
        }
    }

    private async Task BeginAsync(StageSlot[] slots)
    {
        _epoch++;
        if (slots.Length > 1 && slots[0].Here is null)
            _loader.Links.Prepare(slots[0].Info.Silo);
        var begun = await Task.WhenAll(slots.Select((slot, s) =>
            _loader.Silos.AnswerAsync(slot.Grain.BeginAsync(new StageRun(_epoch, s + 1 < slots.Length ? slots[s + 1].Key : null, Depth, _wire)), slot.Info.Silo, CancellationToken.None)));
        for (var s = 0; s < slots.Length; s++)
        {
            if (!begun[s])
                throw new TimeoutException($"Stage {slots[s].Key} holds no layers any more.");
        }

        _number = 0;
    }

    private void AvoidSilo(string silo)
    {
        // Whoever thinks so lives there.
        if (silo == _loader.Silos.Local)
            return;
        lock (_avoided)
            _avoided[silo] = _time.GetTimestamp();
    }

    private HashSet<string> Avoided()
    {
        lock (_avoided)
            return [.. _avoided.Where(a => _time.GetElapsedTime(a.Value) < _options.Avoid).Select(a => a.Key)];
    }
}
