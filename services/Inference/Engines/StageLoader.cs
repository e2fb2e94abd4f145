using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Engines;

/// <summary>Starts the stages of a replica on silos, and finds other silos for those that are lost.</summary>
/// <param name="name">What the keys of the stages begin with.</param>
/// <param name="grains">Gives the grains.</param>
/// <param name="silos">The silos there are.</param>
internal sealed partial class StageLoader(string name, IGrainFactory grains, SiloDirectory silos, ILogger logger)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>The silos there are.</summary>
    public SiloDirectory Silos => silos;

    /// <summary>Loads a stage on a silo, which may take as long as the silo lives.</summary>
    /// <exception cref="TimeoutException">The silo does not answer.</exception>
    public async Task<StageSlot> LoadAsync(StageSpec spec, int attempt, string silo)
    {
        var key = SiloKey.At($"{name}/{spec.Stage}.{attempt}", silo);
        var grain = grains.GetGrain<IStageGrain>(key);
        var loading = grain.LoadAsync(spec);
        while (!loading.IsCompleted && await Task.WhenAny(loading, Task.Delay(LookAgain)) != loading)
            await silos.AnswerAsync(grain.PingAsync(), silo, CancellationToken.None);
        return new StageSlot(spec, attempt, key, grain, await loading);
    }

    /// <summary>Loads a stage where one was lost or has to go: on the fastest silo that has room, else on the next one that takes it.</summary>
    /// <param name="slot">The place to fill.</param>
    /// <param name="never">A silo that is not to have it.</param>
    /// <param name="avoid">Silos that are to have it only if no other takes it.</param>
    /// <exception cref="StatusException">No silo took it; what the last one said.</exception>
    public async Task<StageSlot> ReplaceAsync(StageSlot slot, string? never, IReadOnlySet<string> avoid, CancellationToken cancellationToken)
    {
        var bytes = slot.Info.WeightBytes + ((long)slot.Spec.BlockCount * slot.Spec.BlockSize * slot.Info.KvBytesPerToken) + (slot.Spec.StateSlots * slot.Info.StateBytes);
        var candidates = (await silos.ListAsync(cancellationToken))
            .Where(s => !s.Draining && s.Silo != never)
            .OrderBy(s => avoid.Contains(s.Silo))
            .ThenByDescending(s => s.FreeMemoryBytes >= bytes)
            .ThenByDescending(s => s.ReadBytesPerSecond)
            .ThenBy(s => s.Parts.Length)
            .ThenBy(s => s.Silo, StringComparer.Ordinal);
        Exception? last = null;
        var attempt = slot.Attempt;
        foreach (var silo in candidates)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var replacement = await LoadAsync(slot.Spec, ++attempt, silo.Silo);
                LogReplaced(logger, slot.Key, replacement.Key);
                return replacement;
            }
#pragma warning disable CA1031 // The next silo may take it; if none does, the caller gets the last error.
            catch (Exception error)
#pragma warning restore CA1031
            {
                LogRefused(logger, error, slot.Key, silo.Name);
                last = error;
            }
        }

        throw last as StatusException ?? new StatusException(ErrorMap.Make(
            Google.Rpc.Code.Unavailable, $"No silo can hold stage {slot.Key}, which needs {bytes} bytes{(last is null ? "" : $": {last.Message}")}.", ErrorMap.Retry(TimeSpan.FromSeconds(5))));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} is replaced by {Replacement}")]
    private static partial void LogReplaced(ILogger logger, string stage, string replacement);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} cannot be loaded on silo {Silo}")]
    private static partial void LogRefused(ILogger logger, Exception error, string stage, string silo);
}
