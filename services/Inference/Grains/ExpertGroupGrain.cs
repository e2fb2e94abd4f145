using System.Buffers;
using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Fetching;
using Slm.Engine.Wire;
using Slm.Inference.Cluster;
using Slm.Inference.Engines;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Holds an <see cref="ExpertGroup"/> and computes its calls, in turn, on the silo's thread for experts.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed partial class ExpertGroupGrain(
    SiloEngine engine, PartFiles files, ExpertCompute compute, ILocalSiloDetails silo, SiloParts parts, IOptions<ErrorMap> errors, TimeProvider time, ILogger<ExpertGroupGrain> logger) : Grain, IExpertGroupGrain
{
    private ModelLease? _file;
    private ExpertGroup? _group;
    private ExpertGroupSpec? _spec;
    private IGrainTimer? _lease;
    private long _lastWord;

    private string Key => this.GetPrimaryKeyString();

    public async Task<ExpertGroupInfo> LoadAsync(ExpertGroupSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Free();
        try
        {
            var selection = new WeightSelection { Layers = new LayerRange(spec.FirstLayer, spec.EndLayer), Experts = spec.Experts, OnlyExperts = true };
            var file = _file = await files.OpenAsync(spec.Model, spec.Source, selection);
            if (Numerics.Arithmetic != spec.Arithmetic)
                throw Refuse(Code.FailedPrecondition, $"Silo {silo.Name} ({silo.SiloAddress}) computes as '{Numerics.Arithmetic}', the pipeline as '{spec.Arithmetic}': their numbers would differ. Run the same version on both, or place the model on silos that are alike.");
            // Reading and repacking weights takes long for a large file: not on this thread, and not between other models' steps.
            _group = await Task.Run(() => Load(file, spec));
            _spec = spec;
            parts.Add(Key, new SiloPart(spec.Model, spec.Replica, $"experts {_group.Slice}, layers {spec.FirstLayer}-{spec.EndLayer - 1}", _group.WeightBytes));
            Renew();
            var lease = TimeSpan.FromSeconds(spec.LeaseSeconds);
            _lease = this.RegisterGrainTimer(CheckLeaseAsync, lease, lease / 4, lease / 4);
            return Info(_group);
        }
        catch (Exception error)
        {
            Free();
            if (error is StatusException)
                throw;
            var status = errors.Value.ToStatus(error);
            if (status.Code == (int)Code.Internal)
                LogFailed(logger, error, Key);
            throw new StatusException(status);
        }
    }

    public async ValueTask<ExpertResult> ForwardAsync(ExpertRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var group = _group ?? throw Gone();
        Renew();
        try
        {
            return await compute.Thread.RunAsync(() => Compute(group, request));
        }
        catch (ObjectDisposedException)
        {
            throw Gone();
        }
        catch (ArgumentException error)
        {
            throw Refuse(Code.InvalidArgument, error.Message);
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogFailed(logger, error, Key);
            throw Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}");
        }
    }

    public Task<ExpertGroupState?> GetAsync()
    {
        if (_group is not { } group || _spec is not { } spec)
            return Task.FromResult<ExpertGroupState?>(null);
        var layers = group.Visits;
        return Task.FromResult<ExpertGroupState?>(
            new ExpertGroupState(spec.Model, spec.Replica, Info(group), [.. layers.Select(layer => layer.Layer)], [.. layers.Select(layer => layer.Visits.ToArray())]));
    }

    public Task<bool> PingAsync()
    {
        Renew();
        return Task.FromResult(_group is not null);
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

    private ExpertGroup Load(ModelLease file, ExpertGroupSpec spec)
    {
        try
        {
            return ExpertGroup.Load(file.File, new LayerRange(spec.FirstLayer, spec.EndLayer), ExpertSlice.Of(spec.Experts), new ExpertGroupOptions { MaxVisits = spec.MaxVisits }, engine.Workers);
        }
        catch (ArgumentException error)
        {
            throw Refuse(Code.InvalidArgument, error.Message);
        }
    }

    private static ExpertResult Compute(ExpertGroup group, ExpertRequest request)
    {
        var (format, visits) = ((WireFormat)request.ResultFormat, request.VisitRows.Length);
        var bytes = checked((int)RowEncoding.PayloadBytes(format, visits, group.Width));
        var buffer = ArrayPool<byte>.Shared.Rent(bytes);
        var scaled = group.Forward(request.Layer, request.Rows.Open(), request.VisitRows, request.VisitExperts, format, buffer.AsSpan(0, bytes));
        request.Rows.Release();
        return new ExpertResult(new WireRows(visits, group.Width, (int)format, scaled, buffer, bytes));
    }

    private ExpertGroupInfo Info(ExpertGroup group) => new(silo.SiloAddress.ToParsableString(), silo.Name, [.. group.Slice.Experts], group.WeightBytes);

    private Task CheckLeaseAsync(TimeSpan lease, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(_lastWord) <= lease)
            return Task.CompletedTask;
        LogAbandoned(logger, Key, lease.TotalSeconds);
        return UnloadAsync();
    }

    private void Renew() => _lastWord = time.GetTimestamp();

    private StatusException Gone() => Refuse(Code.Unavailable, $"Group {Key} holds no experts any more.");

    private static StatusException Refuse(Code code, string message) => new(ErrorMap.Make(code, message));

    private void Free()
    {
        _lease?.Dispose();
        _lease = null;
        parts.Remove(Key);
        // It waits for the running call, which waits for nobody.
        _group?.Dispose();
        _group = null;
        _spec = null;
        _file?.Dispose();
        _file = null;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Group of experts {Group} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string group);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Group of experts {Group} has not been called for {Seconds} s and frees itself")]
    private static partial void LogAbandoned(ILogger logger, string group, double seconds);
}
