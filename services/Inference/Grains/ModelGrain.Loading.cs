using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Grains;

/// <content>Loading as wished, taking over what another activation has loaded, and freeing.</content>
internal sealed partial class ModelGrain
{
    /// <summary>The model, loaded as wanted; whoever asks while it is being loaded waits for the same load.</summary>
    private async Task<ReplicaSet> EnsureAsync(LoadModelRequest settings)
    {
        var wanted = DeploymentSettings.From(settings);
        while (true)
        {
            await _unloading;
            if (_loaded is not { } loading)
                return await BeginAsync(null, settings, wanted, []);
            ReplicaSet loaded;
            try
            {
                loaded = await loading;
            }
            catch (Exception) when (_loaded is not null && _loaded != loading)
            {
                // What somebody else wished failed, and what was there before comes back.
                continue;
            }

            // It may have been unloaded by the time it is there.
            if (_loaded != loading)
                continue;
            if (wanted.IsMetBy(loaded.Asked))
                return loaded;
            await RequirePossibleAsync(wanted);
            if (_loaded == loading)
                return await BeginAsync(loaded, settings, wanted, []);
        }
    }

    /// <summary>Loads the model in the place of what is loaded, which comes back if that fails.</summary>
    private async Task<ReplicaSet> BeginAsync(ReplicaSet? before, LoadModelRequest settings, DeploymentSettings wanted, IReadOnlyCollection<LoadAdapterRequest> adapters)
    {
        var loading = _loaded = before is null ? StartAsync(settings, wanted, adapters) : InsteadAsync(before, settings, wanted);
        try
        {
            return await loading;
        }
        catch (Exception error)
        {
            if (_loaded == loading)
                _loaded = null;
            else
                throw;
            if (before is not null)
            {
                LogPutBack(logger, error, Name);
                _ = PutBackAsync(before);
            }

            throw;
        }
    }

    private async Task<ReplicaSet> InsteadAsync(ReplicaSet before, LoadModelRequest settings, DeploymentSettings wanted)
    {
        await StopAsync(before);
        return await StartAsync(settings, wanted, []);
    }

    private async Task PutBackAsync(ReplicaSet before)
    {
        try
        {
            await BeginAsync(null, before.Settings, before.Asked, [.. before.Adapters.Values]);
        }
#pragma warning disable CA1031 // The model's state says it, and the next request tries again.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNotPutBack(logger, error, Name);
        }
    }

    /// <summary>Refuses what cannot be loaded even where what is loaded now is freed for it, so that it is not freed in vain.</summary>
    private async Task RequirePossibleAsync(DeploymentSettings wanted)
    {
        using var lease = await Task.Run(() => engine.Open(Name));
        if (wanted.DraftModel is { } draft)
            (await Task.Run(() => engine.Open(draft))).Dispose();
        await planner.PlanAsync(lease, wanted, null, avoid: null, CancellationToken.None, freed: Name);
    }

    /// <summary>What is loaded; null if nothing is. What an earlier activation has left running is taken over.</summary>
    private async Task<ReplicaSet?> LoadedAsync()
    {
        if (_loaded is null && await RecallAsync() is { } record && await IsRunningAsync(record) && _loaded is null)
            return await EnsureAsync(record.Settings);
        return _loaded is { IsCompletedSuccessfully: true } loaded ? await loaded : null;
    }

    private async Task<bool> IsRunningAsync(DeploymentRecord record) =>
        (await Task.WhenAll(record.Replicas.Select(key => AnswerOf(GrainFactory.GetGrain<IReplicaGrain>(key), grain => grain.GetAsync())))).Any(info => info is not null);

    private async Task<ReplicaSet> StartAsync(LoadModelRequest settings, DeploymentSettings wanted, IReadOnlyCollection<LoadAdapterRequest> adapters)
    {
        _state = ModelState.Loading;
        _error = null;
        var started = time.GetTimestamp();
        try
        {
            using var lease = await Task.Run(() => engine.Open(Name));
            SetFacts(lease);
            var loaded = await RecallAsync() is { } record && wanted.IsMetBy(DeploymentSettings.From(record.Settings))
                ? await TakeOverAsync(lease, record)
                : await LoadAsync(lease, settings, wanted, adapters);
            await RememberAsync(loaded);
            _state = ModelState.Loaded;
            var (stages, milliseconds) = (loaded.Members.Sum(m => m.Info.Spec.Stages.Length), (long)time.GetElapsedTime(started).TotalMilliseconds);
            LogLoaded(logger, Name, loaded.Members.Count, stages, milliseconds);
            return loaded;
        }
        catch (Exception error)
        {
            // A request that asked for the impossible says nothing about the model.
            _state = error is FieldException or Engine.Planning.PlacementException ? ModelState.Available : ModelState.Failed;
            _error = errors.Value.ToStatus(error).Message;
            throw;
        }
    }

    private async Task<ReplicaSet> LoadAsync(ModelLease lease, LoadModelRequest settings, DeploymentSettings wanted, IReadOnlyCollection<LoadAdapterRequest> adapters)
    {
        var placed = await planner.PlanAsync(lease, wanted, null, avoid: null, CancellationToken.None);
        var loaded = new ReplicaSet(settings) { Prediction = PlacementMapping.ToMessage(placed) };
        foreach (var adapter in adapters)
            loaded.Adapters[adapter.Adapter] = adapter;
        var starting = Enumerable.Range(0, placed.Plan.Replicas.Count).Select(r => StartAsync(loaded, placed, r, r)).ToArray();
        try
        {
            loaded.Members.AddRange(await Task.WhenAll(starting));
            return loaded;
        }
        catch
        {
            foreach (var replica in starting.Where(s => s.IsCompletedSuccessfully))
                await (await replica).Grain.StopAsync(handOver: false);
            throw;
        }
    }

    /// <summary>Goes on with replicas that another activation has started, and replaces those that are gone.</summary>
    private async Task<ReplicaSet> TakeOverAsync(ModelLease lease, DeploymentRecord record)
    {
        var loaded = new ReplicaSet(record.Settings);
        foreach (var adapter in record.Adapters)
            loaded.Adapters[adapter.Adapter] = adapter;
        var infos = await Task.WhenAll(record.Replicas.Select(async key => await AnswerOf(GrainFactory.GetGrain<IReplicaGrain>(key), grain => grain.GetAsync())));
        for (var r = 0; r < infos.Length; r++)
        {
            if (infos[r] is { } info)
            {
                loaded.Members.Add(new ReplicaSet.Member(r, GrainFactory.GetGrain<IReplicaGrain>(info.Key), info, time.GetTimestamp()));
                continue;
            }

            var placed = await planner.PlanAsync(lease, loaded.Asked, r, avoid: null, CancellationToken.None);
            loaded.Prediction ??= PlacementMapping.ToMessage(placed);
            loaded.Members.Add(await StartAsync(loaded, placed, r, 0));
        }

        var alive = infos.Count(i => i is not null);
        LogTakenOver(logger, Name, alive, infos.Length);
        return loaded;
    }

    private async Task FreeAsync()
    {
        if (_loaded is not { } loaded)
        {
            await _unloading;
            return;
        }

        _loaded = null;
        _unloading = FreeAsync(loaded);
        await _unloading;
    }

    private async Task FreeAsync(Task<ReplicaSet> loading)
    {
        try
        {
            await StopAsync(await loading);
        }
#pragma warning disable CA1031 // A load that failed was reported to those who asked for it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFreeFailed(logger, error, Name);
        }
    }

    private async Task StopAsync(ReplicaSet loaded)
    {
        _state = ModelState.Unloading;
        try
        {
            // Replicas end as well where it cannot be written that they have.
            await Task.WhenAll([store.RemoveAsync(Name, CancellationToken.None), .. loaded.Members.Select(m => m.Grain.StopAsync(handOver: false))]);
            LogUnloaded(logger, Name);
        }
#pragma warning disable CA1031 // A replica that is gone holds nothing.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFreeFailed(logger, error, Name);
        }

        _state = ModelState.Available;
    }

    /// <summary>What an earlier activation has kept; asked for once, because from then on this one knows.</summary>
    private async Task<DeploymentRecord?> RecallAsync()
    {
        if (_remembered)
            return null;
        var record = await store.ReadAsync(Name, CancellationToken.None);
        if (record is null)
            _remembered = true;
        return record;
    }

    private async Task RememberAsync(ReplicaSet loaded)
    {
        _remembered = true;
        try
        {
            await store.WriteAsync(loaded.ToRecord(Name), CancellationToken.None);
            _unsaved = false;
        }
#pragma warning disable CA1031 // The model works; it is written down as soon as that is possible.
        catch (Exception error)
#pragma warning restore CA1031
        {
            _unsaved = true;
            LogUnsaved(logger, error, Name);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded {Model}: {Replicas} replicas, {Stages} stages, {Milliseconds} ms")]
    private static partial void LogLoaded(ILogger logger, string model, int replicas, int stages, long milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Took {Model} over: {Alive} of {Replicas} replicas live")]
    private static partial void LogTakenOver(ILogger logger, string model, int alive, int replicas);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Model} could not be loaded as wished, and is loaded again as it was")]
    private static partial void LogPutBack(ILogger logger, Exception error, string model);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Model} could not be loaded again as it was")]
    private static partial void LogNotPutBack(ILogger logger, Exception error, string model);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Where {Model} is could not be written down")]
    private static partial void LogUnsaved(ILogger logger, Exception error, string model);

    [LoggerMessage(Level = LogLevel.Information, Message = "Unloaded {Model}")]
    private static partial void LogUnloaded(ILogger logger, string model);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Unloading {Model} failed")]
    private static partial void LogFreeFailed(ILogger logger, Exception error, string model);
}
