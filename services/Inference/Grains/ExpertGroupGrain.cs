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
    private readonly GrainLease _lease = new(time);

    private string Key => this.GetPrimaryKeyString();

    public Task<ExpertGroupInfo> LoadAsync(ExpertGroupSpec spec) => errors.Value.GuardAsync(async () =>
    {
        ArgumentNullException.ThrowIfNull(spec);
        Free();
        try
        {
            var selection = new WeightSelection { Layers = new LayerRange(spec.FirstLayer, spec.EndLayer), Experts = spec.Experts, OnlyExperts = true };
            var file = _file = await files.OpenAsync(spec.Model, spec.Source, selection);
            if (Numerics.Arithmetic != spec.Arithmetic)
                throw GrainErrors.OtherNumerics(silo, Numerics.Arithmetic, spec.Arithmetic);
            // Reading and repacking weights takes long for a large file: not on this thread, and not between other models' steps.
            _group = await Task.Run(() => Load(file, spec));
            _spec = spec;
            parts.Add(Key, new SiloPart(spec.Model, spec.Replica, $"experts {_group.Slice}, layers {spec.FirstLayer}-{spec.EndLayer - 1}", _group.WeightBytes, 0));
            _lease.Begin(this, TimeSpan.FromSeconds(spec.LeaseSeconds), LeaveAsync);
            return Info(_group);
        }
        catch
        {
            Free();
            throw;
        }
    }, error => LogFailed(logger, error, Key));

    public async ValueTask<ExpertResult> ForwardAsync(ExpertRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var group = _group ?? throw Gone();
        _lease.Renew();
        try
        {
            var received = request.Rows.Payload.Length;
            var result = await compute.Thread.RunAsync(() => Compute(group, request));
            if (_spec is { } spec)
                ClusterMetrics.Visited(spec.Model, group.Slice.ToString(), request.VisitRows.Length, request.ResultFormat, received + result.Rows.Payload.Length);
            return result;
        }
        catch (ObjectDisposedException)
        {
            throw Gone();
        }
        catch (ArgumentException error)
        {
            throw GrainErrors.Refuse(Code.InvalidArgument, error.Message);
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogFailed(logger, error, Key);
            throw GrainErrors.Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}");
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
        _lease.Renew();
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
            throw GrainErrors.Refuse(Code.InvalidArgument, error.Message);
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

    private Task LeaveAsync()
    {
        LogAbandoned(logger, Key, _spec!.LeaseSeconds);
        return UnloadAsync();
    }

    private StatusException Gone() => GrainErrors.Refuse(Code.Unavailable, $"Group {Key} holds no experts any more.");

    private void Free()
    {
        _lease.End();
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
    private static partial void LogAbandoned(ILogger logger, string group, int seconds);
}
