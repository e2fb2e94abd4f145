namespace Slm.Inference.Engines;

/// <content>Keeping stages alive, and noticing those that are silent.</content>
internal sealed partial class GrainPipeline
{
    /// <summary>Asks stages whose step takes long whether they live, and lets idle ones know that their owner does.</summary>
    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(_options.AskAfter / 2, _time);
        var idle = _options.Lease / 4;
        var asked = _time.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(_ended.Token))
            {
                FlyingStep? oldest;
                lock (_gate)
                    oldest = _flying.Count == 0 ? null : _flying[0];
                if (oldest is not null && _time.GetElapsedTime(oldest.Started) > _options.AskAfter)
                {
                    asked = _time.GetTimestamp();
                    await AskAsync(oldest);
                }
                else if (_time.GetElapsedTime(asked) > idle)
                {
                    asked = _time.GetTimestamp();
                    await Task.WhenAll(_slots.SelectMany(slot => slot.Experts.Select(e => AliveAsync(e.Info.Silo, e.Grain.PingAsync)).Prepend(AliveAsync(slot))));
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task AskAsync(FlyingStep step)
    {
        var alive = await Task.WhenAll(step.Slots.Select(AliveAsync));
        for (var s = 0; s < alive.Length; s++)
        {
            if (alive[s])
                continue;
            AvoidSilo(step.Slots[s].Info.Silo);
            Fail(step, s, new TimeoutException($"Stage {step.Slots[s].Key} does not answer."));
            return;
        }

        for (var s = 0; s < step.Slots.Length; s++)
        {
            foreach (var experts in step.Slots[s].Experts)
            {
                if (await AliveAsync(experts.Info.Silo, experts.Grain.PingAsync))
                    continue;
                AvoidSilo(experts.Info.Silo);
                Fail(step, s, new TimeoutException($"Group {experts.Key} of experts does not answer."));
                return;
            }
        }
    }
}
