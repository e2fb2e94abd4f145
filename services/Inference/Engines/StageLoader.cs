using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Engines;

/// <summary>Starts the stages of a replica on silos, and finds other silos for those that are lost.</summary>
/// <param name="name">What the keys of the stages begin with.</param>
/// <param name="grains">Gives the grains.</param>
/// <param name="silos">The silos there are.</param>
/// <param name="stages">The stages in this process.</param>
/// <param name="links">Direct connections to other silos.</param>
/// <param name="labels">What silos must have to get something, as the placement was asked for.</param>
internal sealed partial class StageLoader(string name, IGrainFactory grains, SiloDirectory silos, SiloRunners<StageRunner> stages, DirectLinks links, IReadOnlyDictionary<string, string> labels, ILogger logger)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Whether a group lives is asked by the owner of the pipeline; this only ends what it has forgotten.</summary>
    private const int ExpertTimeoutMilliseconds = 600_000;

    /// <summary>The silos there are.</summary>
    public SiloDirectory Silos => silos;

    /// <summary>Direct connections to other silos.</summary>
    public DirectLinks Links => links;

    /// <summary>Loads a stage and the groups that hold its experts.</summary>
    /// <exception cref="TimeoutException">A silo does not answer.</exception>
    public async Task<StageSlot> LoadAsync(StageOrder order)
    {
        var groups = await Task.WhenAll(order.Groups.Select((group, index) => LoadAsync(group.Spec, order.Spec.Stage, index, 0, group.Silo)));
        var experts = order.Local is null
            ? null
            : new StageExperts(order.Local, [.. groups.Select(g => new StageExpertGroup(g.Key, g.Spec.Experts))], order.Wire, order.Wire, ExpertTimeoutMilliseconds);
        return await LoadAsync(order.Spec with { Experts = experts }, groups, 0, order.Silo);
    }

    /// <summary>Loads a stage where one was lost or has to go.</summary>
    /// <param name="slot">The place to fill.</param>
    /// <param name="never">A silo that is not to have it.</param>
    /// <param name="avoid">Silos that are to have it only if no other takes it.</param>
    /// <exception cref="StatusException">No silo took it; what the last one said.</exception>
    public Task<StageSlot> ReplaceAsync(StageSlot slot, string? never, IReadOnlySet<string> avoid, CancellationToken cancellationToken)
    {
        var bytes = slot.Info.WeightBytes + ((long)slot.Spec.BlockCount * slot.Spec.BlockSize * slot.Info.KvBytesPerToken) + (slot.Spec.StateSlots * slot.Info.StateBytes);
        return ReplaceAsync(slot.Key, bytes, slot.Attempt, never, avoid, (attempt, silo) => LoadAsync(slot.Spec, slot.Experts, attempt, silo), s => s.Key, cancellationToken);
    }

    /// <summary>Loads a group of experts where one was lost or has to go.</summary>
    /// <inheritdoc cref="ReplaceAsync(StageSlot, string?, IReadOnlySet{string}, CancellationToken)"/>
    public Task<ExpertSlot> ReplaceAsync(StageSlot stage, int group, string? never, IReadOnlySet<string> avoid, CancellationToken cancellationToken)
    {
        var slot = stage.Experts[group];
        return ReplaceAsync(slot.Key, slot.Info.WeightBytes, slot.Attempt, never, avoid, (attempt, silo) => LoadAsync(slot.Spec, stage.Spec.Stage, group, attempt, silo), s => s.Key, cancellationToken);
    }

    /// <summary>Has the fastest silo that has room take something, else the next one that does.</summary>
    private async Task<T> ReplaceAsync<T>(
        string key, long bytes, int attempt, string? never, IReadOnlySet<string> avoid, Func<int, string, Task<T>> load, Func<T, string> keyOf, CancellationToken cancellationToken)
    {
        var candidates = (await silos.ListAsync(cancellationToken, urgent: true))
            .Where(s => !s.Draining && s.Silo != never && labels.All(l => s.Labels.GetValueOrDefault(l.Key) == l.Value))
            .OrderBy(s => avoid.Contains(s.Silo))
            .ThenByDescending(s => s.FreeMemoryBytes >= bytes)
            .ThenBy(s => s.Parts.Length)
            .ThenByDescending(s => s.ReadBytesPerSecond)
            .ThenBy(s => s.Silo, StringComparer.Ordinal);
        Exception? last = null;
        foreach (var silo in candidates)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var replacement = await load(++attempt, silo.Silo);
                LogReplaced(logger, key, keyOf(replacement));
                return replacement;
            }
#pragma warning disable CA1031 // The next silo may take it; if none does, the caller gets the last error.
            catch (Exception error)
#pragma warning restore CA1031
            {
                LogRefused(logger, error, key, silo.Name);
                last = error;
            }
        }

        throw last as StatusException ?? new StatusException(ErrorMap.Make(
            Google.Rpc.Code.Unavailable, $"No silo{(labels.Count == 0 ? "" : $" with {string.Join(", ", labels.Select(l => $"{l.Key}={l.Value}"))}")} can hold {key}, which needs {bytes} bytes{(last is null ? "" : $": {last.Message}")}.", ErrorMap.Retry(TimeSpan.FromSeconds(5))));
    }

    private async Task<StageSlot> LoadAsync(StageSpec spec, IReadOnlyList<ExpertSlot> experts, int attempt, string silo)
    {
        var key = SiloKey.At($"{name}/{spec.Stage}.{attempt}", silo);
        var grain = grains.GetGrain<IStageGrain>(key);
        var own = spec with { Source = SourceOn(silo, spec.Source) };
        var info = await WhileAliveAsync(grain.LoadAsync(own), grain.PingAsync, silo);
        return new StageSlot(spec, attempt, key, grain, info, experts, stages.Find(key));
    }

    private async Task<ExpertSlot> LoadAsync(ExpertGroupSpec spec, int stage, int group, int attempt, string silo)
    {
        var key = SiloKey.At($"{name}/{stage}-{group}.{attempt}", silo);
        var grain = grains.GetGrain<IExpertGroupGrain>(key);
        var own = spec with { Source = SourceOn(silo, spec.Source) };
        return new ExpertSlot(spec, attempt, key, grain, await WhileAliveAsync(grain.LoadAsync(own), grain.PingAsync, silo));
    }

    /// <summary>This silo serves the model: the file is its own.</summary>
    private FileSource SourceOn(string silo, FileSource source) => silo == silos.Local ? FileSource.Own : source;

    /// <summary>Loading may take as long as the silo lives.</summary>
    private async Task<T> WhileAliveAsync<T>(Task<T> loading, Func<Task<bool>> ping, string silo)
    {
        while (!loading.IsCompleted && await Task.WhenAny(loading, Task.Delay(LookAgain)) != loading)
            await silos.AnswerAsync(ping(), silo, CancellationToken.None);
        return await loading;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Part} is replaced by {Replacement}")]
    private static partial void LogReplaced(ILogger logger, string part, string replacement);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Part} cannot be loaded on silo {Silo}")]
    private static partial void LogRefused(ILogger logger, Exception error, string part, string silo);
}
