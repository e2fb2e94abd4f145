using Slm.Contracts.Grains;

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
                    await Task.WhenAll(_slots.SelectMany(slot => slot.Parts).Select(part => AliveAsync(part.Silo, part.Ping)));
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task AskAsync(FlyingStep step)
    {
        var parts = step.Slots.SelectMany((slot, stage) => slot.Parts.Select(part => (Stage: stage, Part: part))).ToArray();
        var alive = await Task.WhenAll(parts.Select(p => AliveAsync(p.Part.Silo, p.Part.Ping)));
        if (Array.IndexOf(alive, false) is var dead and >= 0)
        {
            var (stage, part) = parts[dead];
            AvoidSilo(part.Silo);
            Fail(step, stage, new TimeoutException($"{part.Key} does not answer."));
            return;
        }

        if (step.IsPassed && _time.GetElapsedTime(step.Started) > _options.PassLostAfter)
            await FindAsync(step);
    }

    /// <summary>
    /// Gives up a step that a stage lacks though the one before has passed it on: the way between them is broken, while both can be
    /// reached from here.
    /// </summary>
    private async Task FindAsync(FlyingStep step)
    {
        StageProgress[] progress;
        try
        {
            progress = await Task.WhenAll(step.Slots.Select(slot => _loader.Silos.AnswerAsync(slot.ProgressAsync(), slot.Info.Silo, CancellationToken.None)));
        }
#pragma warning disable CA1031 // Who does not answer is found out the next time.
        catch (Exception)
#pragma warning restore CA1031
        {
            return;
        }

        var missing = Enumerable.Range(0, progress.Length).FirstOrDefault(
            s => progress[s].Epoch == step.Epoch && progress[s].Begun <= step.Number && (s == 0 || (progress[s - 1].Epoch == step.Epoch && progress[s - 1].Passed > step.Number)), -1);
        if (missing != step.Missing.Stage)
        {
            step.Missing = (missing, _time.GetTimestamp());
            return;
        }

        // A slow link takes its time.
        const long SlowestLink = 128 << 10;
        if (missing < 0 || _time.GetElapsedTime(step.Missing.Since) < _options.PassLostAfter + TimeSpan.FromSeconds((double)step.Bytes / SlowestLink))
            return;
        AvoidSilo(step.Slots[step.Slots[missing].Here is null ? missing : Math.Max(0, missing - 1)].Info.Silo);
        Fail(step, missing, new TimeoutException($"{step.Slots[missing].Key} did not get a step that was passed on to it."));
    }

    private Task<bool> AliveAsync(StageSlot slot) => AliveAsync(slot.Info.Silo, slot.Grain.PingAsync);

    private async Task<bool> AliveAsync(string silo, Func<Task<bool>> ping)
    {
        if (Avoided().Contains(silo))
            return false;
        try
        {
            return await _loader.Silos.AnswerAsync(ping(), silo, CancellationToken.None);
        }
#pragma warning disable CA1031 // Whatever went wrong, it did not answer.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }
}
