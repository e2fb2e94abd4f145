using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Slm.Contracts.Grains;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Threading;
using Slm.Inference.Engines;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Holds a <see cref="Stage"/> and runs its steps, one at a time, on the silo's compute thread.</summary>
[KeepAlive, PreferLocalPlacement]
internal sealed partial class StageGrain(SiloEngine engine, AdapterCatalog adapters, ILocalSiloDetails silo, IOptions<ErrorMap> errors, ILogger<StageGrain> logger) : Grain, IStageGrain
{
    private readonly StepBatch _batch = new();
    private ModelLease? _file;
    private Stage? _stage;

    public async Task<StageInfo> LoadAsync(StageSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Free();
        try
        {
            _file = engine.Open(spec.Model);
            if (_file.Entry.FileBytes != spec.FileBytes)
                throw Refuse(Code.FailedPrecondition, $"The file of model '{spec.Model}' has {_file.Entry.FileBytes} bytes on silo {silo.SiloAddress} and {spec.FileBytes} where it is served from.");
            var range = new LayerRange(spec.FirstLayer, spec.EndLayer);
            var options = new StageOptions { BlockSize = spec.BlockSize, BlockCount = spec.BlockCount, MaxStepTokens = spec.MaxStepTokens, StateSlots = spec.StateSlots, KvType = Enum.Parse<KvType>(spec.KvType), ExpertMemory = spec.ExpertMemory };
            // Reading and repacking weights takes long for a large file: not on this thread, and not between other models' steps.
            var stage = _stage = await Task.Run(() => Stage.Load(_file.File, range, options, engine.Workers));
            var key = this.GetPrimaryKeyString();
            if (stage.Experts is { } experts && logger.IsEnabled(LogLevel.Information))
                LogExperts(logger, key, experts.Slots, experts.Experts, experts.MemoryBytes, experts.Reading);
            return new StageInfo(silo.SiloAddress.ToString(), range.First, range.End, stage.HasEmbedding, stage.HasHead, stage.WeightBytes, stage.KvBytesPerToken, stage.StateBytes);
        }
        catch (Exception error)
        {
            Free();
            if (error is StatusException)
                throw;
            var status = errors.Value.ToStatus(error);
            if (status.Code == (int)Code.Internal)
                LogFailed(logger, error, this.GetPrimaryKeyString());
            throw new StatusException(status);
        }
    }

    public async ValueTask<StageResult> ForwardAsync(StageRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var stage = _stage ?? throw Refuse(Code.Unavailable, $"Stage {this.GetPrimaryKeyString()} holds no layers any more.");
        try
        {
            return await engine.Compute.RunAsync(() =>
            {
                request.Fill(_batch);
                var output = request.Hidden ? StepOutput.Hidden : StepOutput.Logits;
                return new StageResult(new Activations(stage.Forward(_batch, request.Input.Values, output)));
            });
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogFailed(logger, error, this.GetPrimaryKeyString());
            throw Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}");
        }
    }

    public async Task<string[]> LoadAdapterAsync(StageAdapterSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var (stage, file) = _stage is { } held && _file is { } lease ? (held, lease.File) : throw Refuse(Code.Unavailable, $"Stage {this.GetPrimaryKeyString()} holds no layers any more.");
        try
        {
            return await Task.Run(() =>
            {
                using var adapter = LoraAdapter.Open(adapters.Find(spec.File).Path, file, spec.Strength);
                if (adapter.Sha256 != spec.Sha256)
                    throw Refuse(Code.FailedPrecondition, $"The adapter '{spec.File}' is another file on silo {silo.SiloAddress} than where it is served from.");
                return stage.LoadAdapter(spec.Slot, adapter).ToArray();
            });
        }
        catch (Exception error) when (error is not StatusException)
        {
            var status = errors.Value.ToStatus(error);
            if (status.Code == (int)Code.Internal)
                LogFailed(logger, error, this.GetPrimaryKeyString());
            throw new StatusException(status);
        }
    }

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

    private static StatusException Refuse(Code code, string message) => new(ErrorMap.Make(code, message));

    [LoggerMessage(Level = LogLevel.Error, Message = "Stage {Stage} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string stage);

    [LoggerMessage(Level = LogLevel.Information, Message = "Stage {Stage} keeps {Slots} of {Experts} experts in {Bytes} bytes of memory; {Reading}")]
    private static partial void LogExperts(ILogger logger, string stage, int slots, int experts, long bytes, string reading);

    private void Free()
    {
        _stage?.Dispose();
        _stage = null;
        _file?.Dispose();
        _file = null;
    }
}
