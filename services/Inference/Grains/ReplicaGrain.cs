using System.Runtime.CompilerServices;
using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Grains;

/// <summary>A copy of a model at work. Calls interleave at awaits, on one thread at a time.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed partial class ReplicaGrain(
    SiloEngine engine, SiloRunners<StageRunner> stages, DirectLinks links, SiloSpeed speed, ModelFiles files, ModelGrains models, SiloDirectory silos, SiloParts parts, AdapterCatalog adapters, InferenceOptions options, IOptions<ErrorMap> errors, TimeProvider time,
    ILogger<ReplicaGrain> logger) : Grain, IReplicaGrain, IDisposable
{
    private readonly Handover _handover = new();
    private ReplicaSpec? _spec;
    private Task<Deployment>? _deployment;
    private IGrainTimer? _heartbeat;

    private string Key => this.GetPrimaryKeyString();

    public Task<ReplicaInfo> StartAsync(ReplicaSpec spec) => GuardAsync(async () =>
    {
        ArgumentNullException.ThrowIfNull(spec);
        _spec ??= spec;
        var deployment = await (_deployment ??= LoadAsync(spec));
        foreach (var adapter in spec.Adapters)
            await LoadAsync(deployment.Model, adapter.Message);
        return Info(deployment);
    });

    public async Task<ReplicaInfo?> GetAsync() => _deployment is { IsCompletedSuccessfully: true } loaded ? Info(await loaded) : null;

    public Task<bool> PingAsync() => Task.FromResult(_deployment is { IsCompletedSuccessfully: true });

    public Task<Payload<ModelDescription>> DescribeAsync() => GuardAsync(async () =>
    {
        var deployment = await RequireAsync();
        var fingerprint = await Task.Run(() => deployment.Model.SystemFingerprint);
        var (description, stages) = (DescriptionMapping.Of(deployment, _spec!, fingerprint), deployment.Stages);
        await Task.WhenAll(
            description.Stages.Zip(stages).SelectMany(stage => stage.First.ExpertGroups.Zip(stage.Second.Experts)).Select(group => AddVisitsAsync(group.First, group.Second))
                .Concat(description.Stages.Zip(stages).Select(stage => AddVisitsAsync(stage.First, stage.Second))));
        return new Payload<ModelDescription>(description);
    });

    public Task<string[]> VacateAsync(string silo) => GuardAsync(async () =>
    {
        var moves = await (await RequireAsync()).VacateAsync(silo, CancellationToken.None);
        return moves.Select(m => string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"Stage {m.From.Spec.Stage} of replica {_spec!.Replica} moved from {m.From.Info.SiloName} to {m.To.Info.SiloName}.")).ToArray();
    });

    public Task StopAsync(bool handOver) => GuardAsync(async () =>
    {
        await FreeAsync(handOver);
        DeactivateOnIdle();
        return true;
    });

    public Task<Payload<Adapter>[]> ListAdaptersAsync() => GuardAsync(async () =>
    {
        var model = (await RequireAsync()).Model;
        return await Task.Run(() => model.Adapters.Select(a => new Payload<Adapter>(ResponseMapping.ToMessage(model.Name, a, model.FingerprintOf(a)))).ToArray());
    });

    public Task<Payload<Adapter>> LoadAdapterAsync(Payload<LoadAdapterRequest> request) =>
        GuardAsync(async () => await LoadAsync((await RequireAsync()).Model, request.Message));

    public Task<Payload<Adapter>> UnloadAdapterAsync(Payload<UnloadAdapterRequest> request) => GuardAsync(async () =>
    {
        var name = request.Message.Adapter;
        var model = (await RequireAsync()).Model;
        var adapter = model.Adapters.FirstOrDefault(a => a.Name == name);
        await model.UnloadAdapterAsync(name);
        LogAdapterUnloaded(logger, name, Key);
        return new Payload<Adapter>(ResponseMapping.ToMessage(model.Name, adapter!, await Task.Run(() => model.FingerprintOf(adapter!))));
    });

    public async IAsyncEnumerable<Payload<GenerateResponse>> GenerateAsync(
        Payload<GenerateRequest> request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var ends = _handover.Link(cancellationToken);
        var chunks = await GuardAsync(async () =>
        {
            var model = (await RequireAsync()).Model;
            var wanted = RequestMapping.ToText(request.Message, model.Config.VocabSize);

            // A constraint that is new has to be compiled, which may take a while.
            return wanted.Constraint is null ? model.GenerateAsync(wanted, ends.Token) : await Task.Run(() => model.GenerateAsync(wanted, ends.Token));
        });
        await using var answer = chunks.GetAsyncEnumerator(ends.Token);
        while (await GuardAsync(async () => await answer.MoveNextAsync()))
            yield return new Payload<GenerateResponse>(ResponseMapping.ToResponse(answer.Current));
    }

    public Task<Payload<ScoreResponse>> ScoreAsync(Payload<ScoreRequest> request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        using var ends = _handover.Link(cancellationToken);
        var model = (await RequireAsync()).Model;
        var (context, continuation) = RequestMapping.ToScore(request.Message, model.Config.VocabSize);
        return new Payload<ScoreResponse>(ResponseMapping.ToResponse(await model.ScoreAsync(
            context, continuation, 0, RequestMapping.ToTerms(request.Message.Scheduling), request.Message.HasAdapter ? request.Message.Adapter : null, ends.Token)));
    });

    public Task<Payload<EmbedResponse>> EmbedAsync(Payload<EmbedRequest> request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        using var ends = _handover.Link(cancellationToken);
        var message = request.Message;
        var model = (await RequireAsync()).Model;
        var inputs = RequestMapping.ToInputs(message, model.Config.VocabSize);
        var vectors = await model.EmbedAsync(
            inputs, RequestMapping.ToPooling(message.Pooling), !message.HasNormalize || message.Normalize,
            message.HasDimensions ? message.Dimensions : null, RequestMapping.ToTerms(message.Scheduling), message.HasAdapter ? message.Adapter : null, ends.Token);
        return new Payload<EmbedResponse>(ResponseMapping.ToResponse(vectors));
    });

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (reason.ReasonCode == DeactivationReasonCode.ShuttingDown && _deployment is { IsCompletedSuccessfully: true } loaded)
            await (await loaded).StopWithSiloAsync();
        else
            await FreeAsync(handOver: false);
        parts.Remove(Key);
    }

    public void Dispose() => _handover.Dispose();

    private async Task<Deployment> LoadAsync(ReplicaSpec spec)
    {
        try
        {
            var lease = await Task.Run(() => engine.Open(spec.Model));
            var labels = new Dictionary<string, string>(spec.Settings.Message.Placement?.Labels ?? [], StringComparer.Ordinal);
            var loader = new StageLoader(SiloKey.NameOf(Key), GrainFactory, silos, stages, links, labels, logger);
            var deployment = await Deployment.LoadAsync(lease, spec, loader, files, engine, speed, options, time);
            deployment.Changed = () => LogChanged(logger, Key);
            parts.Add(Key, new SiloPart(spec.Model, spec.Replica, "coordinator", 0, 0));
            _heartbeat = this.RegisterGrainTimer(KeepAsync, options.Pipeline.Lease / 12, options.Pipeline.Lease / 12);
            return deployment;
        }
        catch
        {
            _deployment = null;
            _spec = null;
            throw;
        }
    }

    /// <summary>Tells the deployment where it is, and goes if it is not wanted any more.</summary>
    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        if (_deployment is not { IsCompletedSuccessfully: true } loaded)
            return;
        try
        {
            var info = Info(await loaded);
            if (await models.CallAsync(_spec!.Model, grain => grain.KeepAsync(info), cancellationToken))
                return;
        }
#pragma warning disable CA1031 // Nobody there to answer: the next beat asks again, and answers go on meanwhile.
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogUnheard(logger, error, Key);
            return;
        }

        LogUnwanted(logger, Key);
        await FreeAsync(handOver: true);
        DeactivateOnIdle();
    }

    private async Task FreeAsync(bool handOver)
    {
        _heartbeat?.Dispose();
        _heartbeat = null;
        parts.Remove(Key);
        if (_deployment is not { } deployment)
            return;
        _deployment = null;
        if (handOver)
            await _handover.BeginAsync();
        await (await deployment).DisposeAsync();
    }

    private async Task<Payload<Adapter>> LoadAsync(TextModel model, LoadAdapterRequest request)
    {
        var (name, file, strength) = RequestMapping.ToAdapter(request);
        var path = adapters.Find(file).Path;

        // Reading and hashing it takes a while: not on Orleans' thread.
        var loaded = await Task.Run(() => model.LoadAdapterAsync(name, path, strength, CancellationToken.None));
        LogAdapterLoaded(logger, name, Key);
        return new Payload<Adapter>(ResponseMapping.ToMessage(model.Name, loaded, await Task.Run(() => model.FingerprintOf(loaded))));
    }

    private async Task AddVisitsAsync(ExpertGroupPlacement placement, ExpertSlot group)
    {
        try
        {
            if (await silos.AnswerAsync(group.Grain.GetAsync(), group.Info.Silo, CancellationToken.None) is { } state)
                placement.Visits.AddRange(state.Info.Experts.Select((_, expert) => state.Visits.Sum(layer => layer[expert])));
        }
#pragma warning disable CA1031 // A group that does not answer is described without its visits.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private async Task AddVisitsAsync(StagePlacement placement, StageSlot stage)
    {
        try
        {
            if (await silos.AnswerAsync(stage.Grain.VisitsAsync(), stage.Info.Silo, CancellationToken.None) is not { } state)
                return;
            placement.Experts.AddRange(state.Experts);
            placement.ExpertVisits.AddRange(state.Experts.Select((_, expert) => state.Visits.Sum(layer => layer[expert])));
        }
#pragma warning disable CA1031 // A stage that does not answer is described without its visits.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private async Task<Deployment> RequireAsync() => await (_deployment ?? throw Handover.Error(Key));

    private ReplicaInfo Info(Deployment deployment)
    {
        var stats = deployment.Model.Stats;
        var spec = _spec! with { Stages = [.. _spec.Stages.Zip(deployment.Stages, (place, slot) => place with { Silo = slot.Info.Silo })] };
        return new ReplicaInfo(Key, spec, stats.Running, stats.Waiting, deployment.Model.ContextLength);
    }

    /// <summary>Lets errors leave the grain in the form that travels.</summary>
    private async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await errors.Value.GuardAsync(work, error => LogFailed(logger, error, Key), passCancellation: true);
        }
        catch (OperationCanceledException error) when (_handover.Explains(error))
        {
            throw Handover.Error(Key);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded the adapter {Adapter} with {Replica}")]
    private static partial void LogAdapterLoaded(ILogger logger, string adapter, string replica);

    [LoggerMessage(Level = LogLevel.Information, Message = "Unloaded the adapter {Adapter} of {Replica}")]
    private static partial void LogAdapterUnloaded(ILogger logger, string adapter, string replica);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {Replica} goes on with other stages")]
    private static partial void LogChanged(ILogger logger, string replica);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica {Replica} is not wanted any more")]
    private static partial void LogUnwanted(ILogger logger, string replica);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Replica {Replica} cannot reach its deployment")]
    private static partial void LogUnheard(ILogger logger, Exception error, string replica);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request to {Replica} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string replica);
}
