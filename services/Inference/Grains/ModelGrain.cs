using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Placement;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Grains;

/// <summary>
/// A deployment: where its replicas are, and which of them a request goes to. Calls interleave at awaits, on one thread at a time. Callers say
/// where it becomes active (<see cref="ModelGrains"/>).
/// </summary>
[KeepAlive, Reentrant, RandomPlacement]
internal sealed partial class ModelGrain(
    SiloEngine engine, SiloDirectory silos, ModelPlanner planner, IDeploymentStore store, InferenceOptions options, IOptions<ErrorMap> errors, TimeProvider time,
    ILogger<ModelGrain> logger) : Grain, IModelGrain
{
    private ModelFacts? _facts;
    private string _factsOf = "";
    private ModelState _state = ModelState.Available;
    private string? _error;
    private Task<ReplicaSet>? _loaded;
    private Task _unloading = Task.CompletedTask;
    private bool _remembered, _unsaved;

    private string Name => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var beat = options.Pipeline.Lease / 12;
        this.RegisterGrainTimer(LookAfterAsync, beat, beat);
        return Task.CompletedTask;
    }

    public Task<Payload<Model>> GetAsync() => GuardAsync(async () => new Payload<Model>(await ModelAsync()));

    public Task<Payload<ModelDescription>> DescribeAsync() => GuardAsync(async () =>
    {
        var model = await ModelAsync();
        var description = _facts?.Description.Clone() ?? new ModelDescription();
        description.Model = model;
        if (await LoadedAsync() is { } loaded)
        {
            description.Placement = loaded.Settings.Placement;
            description.Prediction = loaded.Prediction;
            foreach (var member in loaded.Members.ToArray())
            {
                if (await AnswerOf(member.Grain, grain => grain.DescribeAsync(), patient: true) is { } replica)
                    description.AddReplica(replica.Message);
            }
        }

        return new Payload<ModelDescription>(description);
    });

    public Task<Payload<Model>> LoadAsync(Payload<LoadModelRequest> request) => GuardAsync(async () =>
    {
        await EnsureAsync(request.Message);
        return new Payload<Model>(await ModelAsync());
    });

    public Task<Payload<Model>> UnloadAsync() => GuardAsync(async () =>
    {
        if (await LoadedAsync() is null && _loaded is null && await RecallAsync() is not null)
            await store.RemoveAsync(Name, CancellationToken.None);
        await FreeAsync();
        return new Payload<Model>(await ModelAsync());
    });

    public Task<Payload<Adapter>> LoadAdapterAsync(Payload<LoadAdapterRequest> request) => GuardAsync(async () =>
    {
        var loaded = await EnsureAsync(new LoadModelRequest());
        var adapters = await Task.WhenAll(loaded.Members.Select(m => m.Grain.LoadAdapterAsync(request)));
        loaded.Adapters[request.Message.Adapter] = request.Message;
        await RememberAsync(loaded);
        return adapters[0];
    });

    public Task<Payload<Adapter>> UnloadAdapterAsync(Payload<UnloadAdapterRequest> request) => GuardAsync(async () =>
    {
        var name = request.Message.Adapter;
        if (await LoadedAsync() is not { } loaded)
            throw new Engine.Scheduling.AdapterNotFoundException(name, []);
        // Replicas to come do not get it.
        if (loaded.Adapters.Remove(name))
            await RememberAsync(loaded);
        return (await Task.WhenAll(loaded.Members.Select(m => m.Grain.UnloadAdapterAsync(request))))[0];
    });

    public Task<string> RouteAsync(ulong[] prefixes) => GuardAsync(async () =>
    {
        while (true)
        {
            var loaded = await EnsureAsync(new LoadModelRequest());
            if (loaded.Choose(Name, prefixes) is { } member)
                return member.Info.Key;
            // All are being replaced: what comes of that is the answer.
            await loaded.Members[0].Replacing!;
        }
    });

    public Task LostAsync(string replica) => GuardAsync(async () =>
    {
        // Whoever reports it has waited for it; where that was on this silo, there is no need to wait once more.
        if (await LoadedAsync() is { } loaded && loaded.Members.FirstOrDefault(m => m.Info.Key == replica) is { } member && (silos.IsSilent(member.Silo) || !await IsAliveAsync(member)))
            await ReplaceAsync(loaded, member, handOver: false, member.Silo);
        return true;
    });

    public Task<bool> KeepAsync(ReplicaInfo replica) => GuardAsync(async () =>
    {
        ArgumentNullException.ThrowIfNull(replica);
        if (_loaded is null && await RecallAsync() is { } record && record.Replicas.Contains(replica.Key))
        {
            // This grain has just taken the deployment over; it takes up the rest as well.
            _ = EnsureAsync(record.Settings);
            return true;
        }

        // While it is being loaded, who belongs to it is not known yet.
        if (_loaded is { IsCompleted: false })
            return true;
        if (await LoadedAsync() is not { } loaded || loaded.Members.FirstOrDefault(m => m.Info.Key == replica.Key) is not { } member)
            return false;
        member.Heard(replica, time.GetTimestamp());
        return true;
    });

    public Task<string[]> VacateAsync(string silo) => GuardAsync<string[]>(async () =>
    {
        if (await LoadedAsync() is not { } loaded)
            return [];
        var moves = new List<string>();
        foreach (var member in loaded.Members.ToArray())
        {
            if (member.Silo == silo)
            {
                await ReplaceAsync(loaded, member, handOver: true, silo);
                moves.Add($"Replica {member.Index} moved from {silos.NameOf(silo)} to {silos.NameOf(member.Silo)}.");
            }
            else
            {
                moves.AddRange(await member.Grain.VacateAsync(silo));
            }
        }

        return [.. moves];
    });

    public Task<string[]> RebalanceAsync() => GuardAsync<string[]>(async () =>
    {
        var loaded = await LoadedAsync() ?? throw new FieldException("model", $"model '{Name}' is not loaded; there is nothing to place anew.");
        using var lease = await Task.Run(() => engine.Open(Name));
        var placed = await planner.PlanAsync(lease, loaded.Asked, null, avoid: null, CancellationToken.None);
        var moves = new List<string>();
        foreach (var member in loaded.Members.ToArray())
        {
            var wanted = placed.Stages(Math.Min(member.Index, placed.Plan.Replicas.Count - 1));
            if (IsSame(wanted, member.Info.Spec.Stages))
                continue;
            var before = Format(member.Info.Spec.Stages);
            await ReplaceAsync(loaded, member, handOver: true, avoid: null, placed);
            moves.Add($"Replica {member.Index}: {before} became {Format(member.Info.Spec.Stages)}.");
        }

        loaded.Prediction = PlacementMapping.ToMessage(placed);
        return [.. moves];
    });

    /// <summary>Starts a replica.</summary>
    /// <param name="loaded">Whose.</param>
    /// <param name="placed">Where it goes.</param>
    /// <param name="index">Its number.</param>
    /// <param name="planned">Its number in the plan.</param>
    private async Task<ReplicaSet.Member> StartAsync(ReplicaSet loaded, Placed placed, int index, int planned)
    {
        // Stages are named after it, and what was started before must not be taken for it.
        var key = SiloKey.At($"{Name}/{index}/{Guid.NewGuid():N}", placed.Coordinator(planned, Name, silos.Local));
        var spec = new ReplicaSpec(
            Name, index, new(loaded.Settings), placed.Stages(planned), placed.Plan.Replicas[planned].MicroBatches, [.. loaded.Adapters.Values.Select(a => new Payload<LoadAdapterRequest>(a))],
            (int)PlacementMapping.ToWire(loaded.Settings.Placement));
        var grain = GrainFactory.GetGrain<IReplicaGrain>(key);
        return new ReplicaSet.Member(index, grain, await grain.StartAsync(spec), time.GetTimestamp());
    }

    /// <summary>Puts another replica in the place of one, once for all that ask for it.</summary>
    private async Task ReplaceAsync(ReplicaSet loaded, ReplicaSet.Member member, bool handOver, string? avoid, Placed? placed = null)
    {
        var task = member.Replacing ??= RunAsync();
        try
        {
            await task;
        }
        finally
        {
            if (member.Replacing == task)
                member.Replacing = null;
        }

        async Task RunAsync()
        {
            // Not before the task is known to others.
            await Task.Yield();
            var (before, old) = (member.Info.Key, member.Grain);
            ReplicaSet.Member started;
            if (placed is not null)
            {
                started = await StartAsync(loaded, placed, member.Index, Math.Min(member.Index, placed.Plan.Replicas.Count - 1));
            }
            else
            {
                using var lease = await Task.Run(() => engine.Open(Name));
                started = await StartAsync(loaded, await planner.PlanAsync(lease, loaded.Asked, member.Index, avoid, CancellationToken.None), member.Index, 0);
            }

            member.Grain = started.Grain;
            member.Heard(started.Info, time.GetTimestamp());
            await RememberAsync(loaded);
            ClusterMetrics.WasReplaced(Name, "replica", placed is not null ? "rebalanced" : handOver ? "drained" : "lost");
            LogReplaced(logger, before, started.Info.Key);
            if (handOver)
                await old.StopAsync(handOver: true);
        }
    }

    /// <summary>Asks replicas that have been silent, and replaces those that do not answer.</summary>
    private async Task LookAfterAsync(CancellationToken cancellationToken)
    {
        if (_loaded is null || await LoadedAsync() is not { } loaded)
            return;
        if (_unsaved)
            await RememberAsync(loaded);
        var patience = options.Pipeline.Lease / 4;
        foreach (var member in loaded.Members.Where(m => m.Replacing is null && time.GetElapsedTime(m.Seen) > patience).ToArray())
        {
            try
            {
                if (!await IsAliveAsync(member))
                    await ReplaceAsync(loaded, member, handOver: false, member.Silo);
            }
#pragma warning disable CA1031 // It is tried again at the next beat.
            catch (Exception error)
#pragma warning restore CA1031
            {
                LogNotReplaced(logger, error, member.Info.Key);
            }
        }
    }

    private async Task<bool> IsAliveAsync(ReplicaSet.Member member)
    {
        if (await AnswerOf(member, grain => grain.GetAsync()) is not { } info)
            return false;
        member.Heard(info, time.GetTimestamp());
        return true;
    }

    private Task<T?> AnswerOf<T>(ReplicaSet.Member member, Func<IReplicaGrain, Task<T>> ask) => AnswerOf(member.Grain, ask);

    /// <summary>What a replica answers; the default if it does not.</summary>
    private async Task<T?> AnswerOf<T>(IReplicaGrain grain, Func<IReplicaGrain, Task<T>> ask, bool patient = false)
    {
        var key = grain.GetPrimaryKeyString();
        try
        {
            var (answer, silo) = (ask(grain), SiloKey.SiloOf(key));
            return await (patient ? silos.PatientAnswerAsync(answer, silo, CancellationToken.None) : silos.AnswerAsync(answer, silo, CancellationToken.None));
        }
#pragma warning disable CA1031 // Whatever went wrong, there is no answer.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNoAnswer(logger, error, key);
            return default;
        }
    }

    private async Task<Model> ModelAsync()
    {
        // Takes over what runs, so that its state is said.
        await LoadedAsync();
        try
        {
            using var lease = await Task.Run(() => engine.Open(Name));
            SetFacts(lease);
        }
        catch (Engine.Formats.ModelFormatException error) when (_loaded is null)
        {
            return new Model { Model_ = Name, State = ModelState.Failed, Error = error.Message };
        }

        var model = _facts!.Model.Clone();
        model.State = _state;
        if (_state == ModelState.Failed && _error is not null)
            model.Error = _error;
        if (_state == ModelState.Loaded && await LoadedAsync() is { } loaded)
        {
            model.ContextLength = loaded.Members.Min(m => m.Info.ContextLength);
            foreach (var adapter in await AdaptersAsync(loaded))
                model.Adapters.Add(adapter);
        }

        return model;
    }

    private async Task<IReadOnlyList<Adapter>> AdaptersAsync(ReplicaSet loaded)
    {
        if (loaded.Adapters.Count == 0)
            return [];
        foreach (var member in loaded.Members)
        {
            if (await AnswerOf(member.Grain, grain => grain.ListAdaptersAsync(), patient: true) is { } adapters)
                return [.. adapters.Select(a => a.Message)];
        }

        return [];
    }

    private void SetFacts(ModelLease lease)
    {
        var identity = $"{lease.Entry.Path}|{lease.Entry.FileBytes}|{lease.Entry.Modified.Ticks}";
        if (identity == _factsOf)
            return;
        _facts = ModelFacts.From(lease);
        _factsOf = identity;
    }

    private static bool IsSame(StagePlace[] a, StagePlace[] b) =>
        a.Length == b.Length && a.Zip(b).All(pair => pair.First.Silo == pair.Second.Silo && pair.First.FirstLayer == pair.Second.FirstLayer && pair.First.EndLayer == pair.Second.EndLayer);

    private string Format(StagePlace[] stages) => string.Join(", ", stages.Select(s => $"{s.FirstLayer}-{s.EndLayer - 1}@{silos.NameOf(s.Silo)}"));

    private Task<T> GuardAsync<T>(Func<Task<T>> work) => errors.Value.GuardAsync(async () =>
    {
        try
        {
            return await work();
        }
        catch (ModelNotFoundException) when (_loaded is null)
        {
            // Another silo may have the file, where the next call makes the grain active.
            DeactivateOnIdle();
            throw;
        }
    }, error => LogFailed(logger, error, Name), passCancellation: true);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replica {Before} is replaced by {After}")]
    private static partial void LogReplaced(ILogger logger, string before, string after);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replica {Replica} does not answer and could not be replaced")]
    private static partial void LogNotReplaced(ILogger logger, Exception error, string replica);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {Replica} does not answer")]
    private static partial void LogNoAnswer(ILogger logger, Exception error, string replica);

    [LoggerMessage(Level = LogLevel.Error, Message = "A call to the deployment of {Model} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string model);
}
