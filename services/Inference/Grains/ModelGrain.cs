using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Scheduling;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Grains;

/// <summary>
/// A deployment: loads its stages, admits requests into their common batch, and says what it holds. Calls interleave at
/// awaits, on one thread at a time.
/// </summary>
[KeepAlive, Reentrant]
internal sealed partial class ModelGrain(
    SiloEngine engine, AdapterCatalog adapters, InferenceOptions options, IOptions<ErrorMap> errors, TimeProvider time, ILogger<ModelGrain> logger) : Grain, IModelGrain
{
    private ModelFacts? _facts;
    private string _factsOf = "";
    private ModelState _state = ModelState.Available;
    private string? _error;
    private Task<Deployment>? _deployment;
    private Task _unloading = Task.CompletedTask;

    private string Name => this.GetPrimaryKeyString();

    public Task<Payload<Model>> GetAsync() => Guard(async () => new Payload<Model>(await ModelAsync()));

    public Task<Payload<ModelDescription>> DescribeAsync() => Guard(async () =>
    {
        var model = await ModelAsync();
        var description = _facts?.Description.Clone() ?? new ModelDescription();
        description.Model = model;
        if (_state == ModelState.Loaded && _deployment is { IsCompletedSuccessfully: true } loaded)
            await AddPlacementAsync(description, await loaded);
        return new Payload<ModelDescription>(description);
    });

    public Task<Payload<Model>> LoadAsync(Payload<LoadModelRequest> request) => Guard(async () =>
    {
        await EnsureAsync(DeploymentSettings.From(request.Message));
        return new Payload<Model>(await ModelAsync());
    });

    public Task<Payload<Model>> UnloadAsync() => Guard(async () =>
    {
        await FreeAsync();
        return new Payload<Model>(await ModelAsync());
    });

    public Task<Payload<Adapter>> LoadAdapterAsync(Payload<LoadAdapterRequest> request) => Guard(async () =>
    {
        var (name, file, strength) = RequestMapping.ToAdapter(request.Message);
        var path = adapters.Find(file).Path;
        var model = (await EnsureAsync(DeploymentSettings.Any)).Model;

        // Reading and hashing it takes a while: not on Orleans' thread.
        var loaded = await Task.Run(() => model.LoadAdapterAsync(name, path, strength, CancellationToken.None));
        LogAdapterLoaded(logger, name, Name);
        return new Payload<Adapter>(ResponseMapping.ToMessage(Name, loaded, await Task.Run(() => model.FingerprintOf(loaded))));
    });

    public Task<Payload<Adapter>> UnloadAdapterAsync(Payload<UnloadAdapterRequest> request) => Guard(async () =>
    {
        var name = request.Message.Adapter;
        if (_state != ModelState.Loaded || _deployment is not { } deployment)
            throw new AdapterNotFoundException(name, []);
        var model = (await deployment).Model;
        var adapter = model.Adapters.FirstOrDefault(a => a.Name == name);
        await model.UnloadAdapterAsync(name);
        LogAdapterUnloaded(logger, name, Name);
        return new Payload<Adapter>(ResponseMapping.ToMessage(Name, adapter!, await Task.Run(() => model.FingerprintOf(adapter!))));
    });

    public async IAsyncEnumerable<Payload<GenerateResponse>> GenerateAsync(
        Payload<GenerateRequest> request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var chunks = await Guard(async () =>
        {
            var model = (await EnsureAsync(DeploymentSettings.Any)).Model;
            return model.GenerateAsync(RequestMapping.ToText(request.Message, model.Config.VocabSize), cancellationToken);
        });
        await using var answer = chunks.GetAsyncEnumerator(cancellationToken);
        while (await Guard(async () => await answer.MoveNextAsync()))
            yield return new Payload<GenerateResponse>(ResponseMapping.ToResponse(answer.Current));
    }

    public Task<Payload<ScoreResponse>> ScoreAsync(Payload<ScoreRequest> request, CancellationToken cancellationToken) => Guard(async () =>
    {
        var model = (await EnsureAsync(DeploymentSettings.Any)).Model;
        var (context, continuation) = RequestMapping.ToScore(request.Message, model.Config.VocabSize);
        return new Payload<ScoreResponse>(ResponseMapping.ToResponse(await model.ScoreAsync(context, continuation, 0, RequestMapping.ToTerms(request.Message.Scheduling), request.Message.HasAdapter ? request.Message.Adapter : null, cancellationToken)));
    });

    public Task<Payload<EmbedResponse>> EmbedAsync(Payload<EmbedRequest> request, CancellationToken cancellationToken) => Guard(async () =>
    {
        var message = request.Message;
        var model = (await EnsureAsync(DeploymentSettings.Any)).Model;
        var inputs = RequestMapping.ToInputs(message, model.Config.VocabSize);
        var vectors = await model.EmbedAsync(
            inputs, RequestMapping.ToPooling(message.Pooling), !message.HasNormalize || message.Normalize,
            message.HasDimensions ? message.Dimensions : null, RequestMapping.ToTerms(message.Scheduling), message.HasAdapter ? message.Adapter : null, cancellationToken);
        return new Payload<EmbedResponse>(ResponseMapping.ToResponse(vectors));
    });

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (reason.ReasonCode == DeactivationReasonCode.ShuttingDown && _deployment is { IsCompletedSuccessfully: true } loaded)
            await (await loaded).StopWithSiloAsync();
        else
            await FreeAsync();
    }

    /// <summary>The model, loaded as wanted; whoever asks while it is being loaded waits for the same load.</summary>
    private async Task<Deployment> EnsureAsync(DeploymentSettings settings)
    {
        while (true)
        {
            await _unloading;
            if (_deployment is not { } deployment)
            {
                deployment = _deployment = StartAsync(settings);
                return await deployment;
            }
            // It may have failed, or been unloaded, by the time it is there.
            var loaded = await deployment;
            if (_deployment != deployment)
                continue;
            if (settings.IsMetBy(loaded.Settings))
                return loaded;
            await FreeAsync();
        }
    }

    private async Task<Deployment> StartAsync(DeploymentSettings settings)
    {
        _state = ModelState.Loading;
        _error = null;
        var started = time.GetTimestamp();
        try
        {
            var lease = await Task.Run(() => engine.Open(Name));
            SetFacts(lease);
            var deployment = await Deployment.LoadAsync(
                lease, settings, s => GrainFactory.GetGrain<IStageGrain>($"{Name}/{s}"), engine, options, time);
            _state = ModelState.Loaded;
            var milliseconds = (long)time.GetElapsedTime(started).TotalMilliseconds;
            LogLoaded(logger, Name, deployment.Stages.Count, milliseconds);
            return deployment;
        }
        catch (Exception error)
        {
            // A request that asked for the impossible says nothing about the model.
            _state = error is FieldException ? ModelState.Available : ModelState.Failed;
            _error = errors.Value.ToStatus(error).Message;
            _deployment = null;
            throw;
        }
    }

    private async Task FreeAsync()
    {
        if (_deployment is not { } deployment)
        {
            await _unloading;
            return;
        }
        _deployment = null;
        _unloading = FreeAsync(deployment);
        await _unloading;
    }

    private async Task FreeAsync(Task<Deployment> deployment)
    {
        try
        {
            var loaded = await deployment;
            _state = ModelState.Unloading;
            await loaded.DisposeAsync();
            _state = ModelState.Available;
            LogUnloaded(logger, Name);
        }
#pragma warning disable CA1031 // A load that failed was reported to those who asked for it, and leaves nothing to free.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFreeFailed(logger, error, Name);
        }
    }

    private async Task<Model> ModelAsync()
    {
        try
        {
            using var lease = await Task.Run(() => engine.Open(Name));
            SetFacts(lease);
        }
        catch (Engine.Formats.ModelFormatException error) when (_deployment is null)
        {
            return new Model { Model_ = Name, State = ModelState.Failed, Error = error.Message };
        }
        var model = _facts!.Model.Clone();
        model.State = _state;
        if (_state == ModelState.Failed && _error is not null)
            model.Error = _error;
        if (_state == ModelState.Loaded && _deployment is { IsCompletedSuccessfully: true } deployment)
        {
            var loaded = (await deployment).Model;
            model.ContextLength = loaded.ContextLength;
            foreach (var adapter in loaded.Adapters)
                model.Adapters.Add(ResponseMapping.ToMessage(Name, adapter, await Task.Run(() => loaded.FingerprintOf(adapter))));
        }
        return model;
    }

    private void SetFacts(ModelLease lease)
    {
        var identity = $"{lease.Entry.Path}|{lease.Entry.FileBytes}|{lease.Entry.Modified.Ticks}";
        if (identity == _factsOf)
            return;
        _facts = ModelFacts.From(lease);
        _factsOf = identity;
    }

    private static async Task AddPlacementAsync(ModelDescription description, Deployment deployment)
    {
        var stats = deployment.Model.Stats;
        description.SystemFingerprint = await Task.Run(() => deployment.Model.SystemFingerprint);
        description.Memory = new MemoryUse
        {
            WeightBytes = deployment.Stages.Sum(s => s.WeightBytes),
            KvBytesPerToken = deployment.Stages.Sum(s => s.KvBytesPerToken),
            StateBytesPerSequence = deployment.Stages.Sum(s => s.StateBytes),
            KvCapacityBytes = deployment.KvCapacityBytes,
            KvUsedBytes = stats.KvBlocksTotal == 0 ? 0 : deployment.KvCapacityBytes / stats.KvBlocksTotal * stats.KvBlocksUsed,
        };
        description.Load = new LoadFigures
        {
            RunningSequences = stats.Running,
            WaitingSequences = stats.Waiting,
            KvOccupancy = stats.KvOccupancy,
            GeneratedTokens = stats.GeneratedTokens,
            PromptTokens = stats.PromptTokens,
            PrefixHitRate = stats.PrefixHitRate,
            DraftAcceptanceRate = stats.AcceptanceRate,
        };
        for (var s = 0; s < deployment.Stages.Count; s++)
        {
            var stage = deployment.Stages[s];
            description.Stages.Add(new StagePlacement
            {
                Stage = s,
                FirstLayer = stage.FirstLayer,
                EndLayer = stage.EndLayer,
                Silo = stage.Silo,
                WeightBytes = stage.WeightBytes,
                HasEmbedding = stage.HasEmbedding,
                HasHead = stage.HasHead,
            });
        }
    }

    /// <summary>Lets errors leave the grain in the form that travels.</summary>
    private async Task<T> Guard<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception error) when (error is not StatusException and not OperationCanceledException)
        {
            var status = errors.Value.ToStatus(error);
            if (status.Code == (int)Google.Rpc.Code.Internal)
                LogFailed(logger, error, Name);
            throw new StatusException(status);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded {Model} in {Stages} stages, {Milliseconds} ms")]
    private static partial void LogLoaded(ILogger logger, string model, int stages, long milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded the adapter {Adapter} with {Model}")]
    private static partial void LogAdapterLoaded(ILogger logger, string adapter, string model);

    [LoggerMessage(Level = LogLevel.Information, Message = "Unloaded the adapter {Adapter} of {Model}")]
    private static partial void LogAdapterUnloaded(ILogger logger, string adapter, string model);

    [LoggerMessage(Level = LogLevel.Information, Message = "Unloaded {Model}")]
    private static partial void LogUnloaded(ILogger logger, string model);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Unloading {Model} failed")]
    private static partial void LogFreeFailed(ILogger logger, Exception error, string model);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request to {Model} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string model);
}
