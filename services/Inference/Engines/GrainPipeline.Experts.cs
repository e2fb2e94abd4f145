using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <content>Groups of experts that belong to stages. They keep nothing between steps, so that losing one costs a step at most.</content>
internal sealed partial class GrainPipeline
{
    /// <summary>The stage with groups that live: those that do not are replaced, and a stage that lives is told.</summary>
    private async Task<StageSlot> WithLiveExpertsAsync(StageSlot slot, CancellationToken cancellationToken)
    {
        for (var group = 0; group < slot.Experts.Count; group++)
        {
            var experts = slot.Experts[group];
            if (await AliveAsync(experts.Info.Silo, experts.Grain.PingAsync))
                continue;
            AvoidSilo(experts.Info.Silo);
            slot = await MoveExpertsAsync(slot, group, null, cancellationToken);
        }

        return slot;
    }

    private async Task<StageSlot> MoveExpertsAsync(StageSlot slot, int group, string? never, CancellationToken cancellationToken)
    {
        var old = slot.Experts[group];
        var moved = await _loader.ReplaceAsync(slot, group, never, Avoided(), cancellationToken);
        var named = slot.Spec.Experts!;
        slot = slot with
        {
            Experts = [.. slot.Experts.Select((e, i) => i == group ? moved : e)],
            Spec = slot.Spec with { Experts = named with { Groups = [.. named.Groups.Select((g, i) => i == group ? g with { Key = moved.Key } : g)] } },
        };
        try
        {
            await _loader.Silos.AnswerAsync(SetAsync(slot.Grain, group, moved.Key), slot.Info.Silo, cancellationToken);
        }
        catch (Exception error) when (StageErrors.MeansLost(error) && !cancellationToken.IsCancellationRequested)
        {
            // The stage is lost as well; the one that takes its place is told when it is loaded.
        }

        _ = UnloadQuietlyAsync(old.Grain.UnloadAsync);
        return slot;

        static async Task<bool> SetAsync(IStageGrain stage, int group, string key)
        {
            await stage.SetExpertsAsync(group, key);
            return true;
        }
    }
}
