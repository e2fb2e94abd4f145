using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Fetching;
using Slm.Engine.Wire;
using Slm.Inference.Cluster;
using Slm.Inference.Engines;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Holds a <see cref="Stage"/> and runs its steps, in their order, on the silo's compute thread.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed partial class StageGrain(
    SiloEngine engine, PartFiles files, AdapterCatalog adapters, ILocalSiloDetails silo, SiloParts parts, IOptions<ErrorMap> errors, TimeProvider time, ILogger<StageGrain> logger) : Grain, IStageGrain, IDisposable
{
    private readonly StepBatch _batch = new();
    private readonly StageSteps _steps = new();
    private ModelLease? _file;
    private Stage? _stage;
    private StageRun _run = new(-1, null, 1, (int)WireFormat.F32);
    private IStageGrain? _next;
    private bool _nextIsHere;
    private StageSpec? _spec;
    private string _experts = "";
    private readonly GrainLease _lease = new(time);
    private float[] _input = [];
    private GrainExpertChannel? _channel;
    private CancellationTokenSource _runEnds = new();

    private string Key => this.GetPrimaryKeyString();

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
            var experts = spec.Experts is null ? null : GrainExpertChannel.Open(spec.Experts, GrainFactory, time);
            _channel = experts?.Channel as GrainExpertChannel;
            var options = new StageOptions { BlockSize = spec.BlockSize, BlockCount = spec.BlockCount, MaxStepTokens = spec.MaxStepTokens, StateSlots = spec.StateSlots, KvType = kvType, ExpertMemory = spec.ExpertMemory, RoundedResidual = spec.RoundedResidual, RemoteExperts = experts };
            // Reading weights takes long for a large file: not on this thread, and not between other models' steps.
            var stage = _stage = await Task.Run(() => Stage.Load(_file.File, range, options, engine.Workers));
            _experts = stage.HeldExperts.ToString();
            if (stage.Experts is { } cached && logger.IsEnabled(LogLevel.Information))
                LogExperts(logger, Key, cached.Slots, cached.Experts, cached.MemoryBytes, cached.Reading);
            parts.Add(Key, new SiloPart(spec.Model, spec.Replica, $"stage {spec.Stage}, layers {range.First}-{range.End - 1}", stage.WeightBytes,
                ((long)spec.BlockCount * spec.BlockSize * stage.KvBytesPerToken) + (spec.StateSlots * stage.StateBytes)));
            _lease.Begin(this, TimeSpan.FromSeconds(spec.LeaseSeconds), LeaveAsync);
            return new StageInfo(silo.SiloAddress.ToParsableString(), range.First, range.End, stage.HasEmbedding, stage.HasHead, stage.WeightBytes, stage.KvBytesPerToken, stage.StateBytes, silo.Name);
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
        if (_stage is null)
            return Task.FromResult(false);
        _lease.Renew();
        if (run.Epoch > _run.Epoch)
        {
            // What still computes, or waits for experts, is of a step that nobody wants any more.
            _runEnds.Cancel();
            _runEnds.Dispose();
            _runEnds = new CancellationTokenSource();
            _run = run;
            _next = run.Next is null ? null : GrainFactory.GetGrain<IStageGrain>(run.Next);
            _nextIsHere = run.Next is not null && SiloKey.SiloOf(run.Next) == silo.SiloAddress.ToParsableString();
            _steps.Restart();
        }

        return Task.FromResult(_run.Epoch == run.Epoch);
    }

    public async ValueTask<StageResult> RunAsync(StageRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var stage = _stage ?? throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} holds no layers any more.");
        _lease.Renew();
        try
        {
            Require(request.Epoch);
            var input = stage.HasEmbedding ? null : await _steps.InputAsync(request.Number);
            await _steps.TurnAsync(request.Number);
            Require(request.Epoch);
            var (next, copies, format, ends) = (_next, _run.StepsAtOnce > 1, (WireFormat)_run.Wire, _runEnds.Token);
            if (next is null)
            {
                var answer = engine.Compute.RunAsync(() => Compute(stage, request, input, ends) is var values && copies ? values.ToArray() : values);
                // The compute thread keeps the order from here on.
                _steps.Advance(request.Number);
                return new StageResult(new Activations(await answer));
            }

            var work = engine.Compute.RunAsync(() => RowMessages.Write(format, Compute(stage, request, input, ends).Span, stage.HiddenSize));
            _steps.Advance(request.Number);
            await SendAsync(next, new StageInput(request.Epoch, request.Number, await work));
            return new StageResult(default);
        }
        catch (PipelineLostException error)
        {
            LogUnsent(logger, error, Key, "its experts");
            throw GrainErrors.Refuse(Code.Unavailable, error.Message);
        }
        catch (ObjectDisposedException)
        {
            throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} holds no layers any more.");
        }
        catch (OperationCanceledException)
        {
            throw GrainErrors.Refuse(Code.Aborted, $"Step {request.Number} of stage {Key} was given up: its run ended.");
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogFailed(logger, error, Key);
            throw GrainErrors.Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}");
        }
    }

    public ValueTask ReceiveAsync(StageInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _lease.Renew();
        Require(input.Epoch);
        _steps.Arrive(input.Number, input.Rows);
        return ValueTask.CompletedTask;
    }

    public Task SetExpertsAsync(int group, string key)
    {
        (_channel ?? throw GrainErrors.Refuse(Code.Unavailable, $"Stage {Key} has no groups of experts.")).Replace(group, GrainFactory.GetGrain<IExpertGroupGrain>(key));
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

    public void Dispose() => _runEnds.Dispose();

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Free();
        return Task.CompletedTask;
    }

    /// <summary>Runs a step; what it returns is the stage's memory, which the next step uses again.</summary>
    private ReadOnlyMemory<float> Compute(Stage stage, StageRequest request, WireRows? input, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        request.Fill(_batch);
        var values = ReadOnlyMemory<float>.Empty;
        if (input is not null)
        {
            var count = input.Rows * input.Width;
            if (_input.Length < count)
                _input = new float[count];
            input.Read(_input.AsSpan(0, count));
            values = _input.AsMemory(0, count);
        }

        var visits = stage.VisitCount;
        var output = stage.Run(_batch, values, request.Hidden ? StepOutput.Hidden : StepOutput.Logits, cancellationToken);
        ClusterMetrics.Computed(_spec!.Model, _spec.Stage, time.GetElapsedTime(started));
        if (stage.HeldExperts.Count > 0)
            ClusterMetrics.Visited(_spec.Model, _experts, stage.VisitCount - visits);
        return output;
    }

    private async ValueTask SendAsync(IStageGrain next, StageInput input)
    {
        // The rows are gone once they are sent.
        var (bytes, format, started) = (input.Rows.Payload.Length, input.Rows.Format, time.GetTimestamp());
        try
        {
            await next.ReceiveAsync(input);
            ClusterMetrics.Sent(_spec!.Model, _spec.Stage, format, bytes, _nextIsHere, time.GetElapsedTime(started));
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogUnsent(logger, error, Key, next.GetPrimaryKeyString());
            throw new StatusException(ErrorMap.Make(Code.Unavailable, $"Stage {Key} cannot reach {next.GetPrimaryKeyString()}: {error.Message}", ErrorMap.Info(StageErrors.NextLost)));
        }
    }

    private Task LeaveAsync()
    {
        LogAbandoned(logger, Key, _spec!.LeaseSeconds);
        return UnloadAsync();
    }

    private void Require(long epoch)
    {
        if (epoch != _run.Epoch)
            throw GrainErrors.Refuse(Code.Aborted, $"Stage {Key} is in run {_run.Epoch}; a step of run {epoch} came too late.");
    }

    private Task<T> GuardAsync<T>(Func<Task<T>> work) => errors.Value.GuardAsync(work, error => LogFailed(logger, error, Key));

    private void Free()
    {
        _lease.End();
        _steps.Restart();
        _channel = null;
        parts.Remove(Key);
        _stage?.Dispose();
        _stage = null;
        _file?.Dispose();
        _file = null;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Stage {Stage} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string stage);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} cannot reach {Next}")]
    private static partial void LogUnsent(ILogger logger, Exception error, string stage, string next);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} has not heard from its owner for {Seconds} s and frees itself")]
    private static partial void LogAbandoned(ILogger logger, string stage, int seconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stage {Stage} keeps {Slots} of {Experts} experts in {Bytes} bytes of memory; {Reading}")]
    private static partial void LogExperts(ILogger logger, string stage, int slots, int experts, long bytes, string reading);
}
