using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Serialization;
using Slm.Contracts.Grains;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Fetching;
using Slm.Engine.Planning;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Inference.Engines;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Holds a <see cref="Stage"/>, whose steps a <see cref="StageRunner"/> runs.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed partial class StageGrain(
    SiloEngine engine, SiloRunners<StageRunner> stages, DirectLinks links, Serializer serializer, SiloSpeed speed, PartFiles files, AdapterCatalog adapters, ILocalSiloDetails silo, SiloParts parts, IOptions<ErrorMap> errors, TimeProvider time, ILogger<StageGrain> logger) : Grain, IStageGrain
{
    private readonly GrainLease _lease = new(time);
    private ModelLease? _file;
    private Stage? _stage;
    private StageRunner? _runner;
    private StageSpec? _spec;
    private GrainExpertChannel? _channel;

    private string Key => this.GetPrimaryKeyString();

    private StageRunner Runner => _runner ?? throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} holds no layers any more.");

    public Task<StageInfo> LoadAsync(StageSpec spec) => GuardAsync(async () =>
    {
        ArgumentNullException.ThrowIfNull(spec);
        Free();
        _spec = spec;
        try
        {
            var kvType = Enum.Parse<KvType>(spec.KvType);
            if (Numerics.Fingerprint(kvType, spec.RoundedResidual) is var own && own != spec.Numerics)
                throw GrainErrors.OtherNumerics(silo, own, spec.Numerics);
            var range = new LayerRange(spec.FirstLayer, spec.EndLayer);
            _file = await files.OpenAsync(spec.Model, spec.Source, new WeightSelection { Layers = range, Experts = spec.Experts?.Local });
            var experts = spec.Experts is null ? null : GrainExpertChannel.Open(spec.Experts, GrainFactory, links, serializer, time);
            _channel = experts?.Channel as GrainExpertChannel;
            var options = new StageOptions { BlockSize = spec.BlockSize, BlockCount = spec.BlockCount, MaxStepTokens = spec.MaxStepTokens, StateSlots = spec.StateSlots, KvType = kvType, ExpertMemory = spec.ExpertMemory, RoundedResidual = spec.RoundedResidual, RemoteExperts = experts };
            // Reading weights takes long for a large file: not on this thread, and not between other models' steps.
            var stage = _stage = await Task.Run(() => Stage.Load(_file.File, range, options, engine.Workers));
            if (stage.Experts is { } cached && logger.IsEnabled(LogLevel.Information))
                LogExperts(logger, Key, cached.Slots, cached.Experts, cached.MemoryBytes, cached.Reading);
            parts.Add(Key, new SiloPart(spec.Model, spec.Replica, $"stage {spec.Stage}, layers {range.First}-{range.End - 1}", stage.WeightBytes,
                ((long)spec.BlockCount * spec.BlockSize * stage.KvBytesPerToken) + (spec.StateSlots * stage.StateBytes)));
            _lease.Begin(this, TimeSpan.FromSeconds(spec.LeaseSeconds), LeaveAsync);
            // Experts elsewhere, or read from disk, take their own time.
            var calibration = experts is null && spec.ExpertMemory is null ? new StepCalibration(speed, ModelShape.Of(_file.File, kvType), range) : null;
            _runner = new StageRunner(Key, spec, stage, engine, stages, links, calibration, _lease.Renew, time, logger);
            stages.Add(_runner);
            return new StageInfo(silo.SiloAddress.ToParsableString(), range.First, range.End, stage.HasEmbedding, stage.HasHead, stage.WeightBytes, stage.KvBytesPerToken, stage.StateBytes, silo.Name, Passes: true);
        }
        catch
        {
            Free();
            throw;
        }
    });

    public Task<bool> BeginAsync(StageRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var next = run.Next is null ? null : GrainFactory.GetGrain<IStageGrain>(run.Next);
        var nextIsHere = run.Next is not null && SiloKey.SiloOf(run.Next) == silo.SiloAddress.ToParsableString();
        return Task.FromResult(_runner?.Begin(run, next, nextIsHere) ?? false);
    }

    public ValueTask<StageResult> RunAsync(StageRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new ValueTask<StageResult>(Runner.RunAsync(request));
    }

    public ValueTask ReceiveAsync(StageInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        Runner.Arrive(input.Epoch, input.Number, input.Rows);
        return ValueTask.CompletedTask;
    }

    public Task PassAsync(StagePass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        Runner.Pass(pass);
        return Task.CompletedTask;
    }

    public Task<StageProgress> ProgressAsync() => Task.FromResult(_runner?.Progress ?? new StageProgress(-1, 0, 0));

    public Task SetExpertsAsync(int group, string key)
    {
        (_channel ?? throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} has no groups of experts.")).Replace(group, GrainFactory.GetGrain<IExpertGroupGrain>(key), key);
        return Task.CompletedTask;
    }

    public Task<bool> PingAsync()
    {
        _lease.Renew();
        return Task.FromResult(_stage is not null);
    }

    public Task<StageVisits?> VisitsAsync()
    {
        if (_stage is not { HeldExperts: { Count: > 0 } experts } stage)
            return Task.FromResult<StageVisits?>(null);
        var layers = stage.Visits;
        return Task.FromResult<StageVisits?>(new StageVisits([.. experts.Experts], [.. layers.Select(layer => layer.Layer)], [.. layers.Select(layer => layer.Visits.ToArray())]));
    }

    public Task<string[]> LoadAdapterAsync(StageAdapterSpec spec) => GuardAsync(() =>
    {
        ArgumentNullException.ThrowIfNull(spec);
        var (stage, file) = _stage is { } held && _file is { } lease ? (held, lease.File) : throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} holds no layers any more.");
        return Task.Run(() =>
        {
            using var adapter = LoraAdapter.Open(adapters.Find(spec.File).Path, file, spec.Strength);
            if (adapter.Sha256 != spec.Sha256)
                throw GrainErrors.Refuse(Code.FailedPrecondition, $"The adapter '{spec.File}' is another file on silo {silo.Name} ({silo.SiloAddress}) than where it is served from.");
            return stage.LoadAdapter(spec.Slot, adapter).ToArray();
        });
    });

    public Task UnloadAdapterAsync(int slot)
    {
        // It waits for the running step.
        return _stage is { } stage ? Task.Run(() => stage.UnloadAdapter(slot)) : Task.CompletedTask;
    }

    public Task UnloadAsync()
    {
        Free();
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Free();
        return Task.CompletedTask;
    }

    private Task LeaveAsync()
    {
        LogAbandoned(logger, Key, _spec!.LeaseSeconds);
        return UnloadAsync();
    }

    private Task<T> GuardAsync<T>(Func<Task<T>> work) => errors.Value.GuardAsync(work, error => LogFailed(logger, error, Key));

    private void Free()
    {
        _lease.End();
        _runner?.Close();
        _runner = null;
        _channel?.Dispose();
        _channel = null;
        parts.Remove(Key);
        _stage?.Dispose();
        _stage = null;
        _file?.Dispose();
        _file = null;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Stage {Stage} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string stage);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} has not heard from its owner for {Seconds} s and frees itself")]
    private static partial void LogAbandoned(ILogger logger, string stage, int seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stage {Stage} keeps {Slots} of {Experts} experts in {Bytes} bytes of memory; {Reading}")]
    private static partial void LogExperts(ILogger logger, string stage, int slots, int experts, long bytes, string reading);
}
