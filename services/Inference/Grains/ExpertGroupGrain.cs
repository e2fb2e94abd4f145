using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Fetching;
using Slm.Inference.Cluster;
using Slm.Inference.Engines;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Holds an <see cref="ExpertGroup"/> and computes its calls, in turn, on the silo's thread for experts.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed partial class ExpertGroupGrain(
    SiloEngine engine, SiloRunners<ExpertGroupRunner> groups, PartFiles files, ExpertCompute compute, ILocalSiloDetails silo, SiloParts parts, IOptions<ErrorMap> errors, TimeProvider time, ILogger<ExpertGroupGrain> logger) : Grain, IExpertGroupGrain
{
    private ModelLease? _file;
    private ExpertGroup? _group;
    private ExpertGroupRunner? _runner;
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
            groups.Add(_runner = new ExpertGroupRunner(Key, spec.Model, _group, _lease.Renew, logger));
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
        var runner = _runner ?? throw ExpertGroupRunner.Gone(Key);
        try
        {
            return await compute.Thread.RunAsync(() => runner.Forward(request));
        }
        catch (ObjectDisposedException)
        {
            throw ExpertGroupRunner.Gone(Key);
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

    private ExpertGroupInfo Info(ExpertGroup group) => new(silo.SiloAddress.ToParsableString(), silo.Name, [.. group.Slice.Experts], group.WeightBytes);

    private Task LeaveAsync()
    {
        LogAbandoned(logger, Key, _spec!.LeaseSeconds);
        return UnloadAsync();
    }

    private void Free()
    {
        _lease.End();
        parts.Remove(Key);
        if (_runner is { } runner)
            groups.Remove(runner);
        _runner = null;
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
