using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Inference.Cluster;
using Slm.Runtime;

namespace Slm.Inference.Engines;

/// <summary>A copy of a model at work: its text side and scheduler here, its layers behind stage grains.</summary>
internal sealed class Deployment : IAsyncDisposable
{
    private readonly GrainPipeline _pipeline;

    private Deployment(TextModel model, GrainPipeline pipeline) => (Model, _pipeline) = (model, pipeline);

    public TextModel Model { get; }

    /// <summary>The stages as they are now.</summary>
    public IReadOnlyList<StageSlot> Stages => _pipeline.Slots;

    /// <summary>Told when a stage has been replaced.</summary>
    public Action? Changed
    {
        get => _pipeline.Changed;
        set => _pipeline.Changed = value;
    }

    /// <summary>Bytes of keys, values and recurrent state over all stages.</summary>
    public long KvCapacityBytes => Stages.Sum(s => (s.Info.KvBytesPerToken * s.Spec.BlockCount * s.Spec.BlockSize) + (s.Info.StateBytes * s.Spec.StateSlots));

    /// <summary>Loads a model over stages that it starts.</summary>
    /// <param name="lease">The model's file; the deployment disposes it, also when this fails.</param>
    /// <param name="replica">What it is to be.</param>
    /// <param name="loader">Starts the stages.</param>
    /// <param name="files">Knows the hashes of the model's file.</param>
    /// <param name="engine">Has the file of the draft model and the threads that run it.</param>
    /// <param name="speed">Learns what is between two steps.</param>
    /// <param name="options">Limits.</param>
    /// <param name="time">Clock.</param>
    public static async Task<Deployment> LoadAsync(
        ModelLease lease, ReplicaSpec replica, StageLoader loader, ModelFiles files, SiloEngine engine, SiloSpeed speed, InferenceOptions options, TimeProvider time)
    {
        ModelLease? draft = null;
        LocalPipeline? drafter = null;
        GrainPipeline? pipeline = null;
        try
        {
            var settings = DeploymentSettings.From(replica.Settings.Message);
            var shape = settings.Shape(lease.Entry, lease.File, options) with { Replica = replica.Replica };
            if (replica.Stages.Any(p => p.Silo != loader.Silos.Local || p.Experts.Any(e => e.Silo != loader.Silos.Local)))
                shape = shape with { Source = new FileSource((await files.ManifestAsync(lease.Entry.Name, CancellationToken.None)).Root, [loader.Silos.Local]) };
            var orders = replica.Stages.Select((place, s) => StageOrders.Of(shape, place, s, lease.File.Config, replica.Wire)).ToArray();
            pipeline = await GrainPipeline.LoadAsync(lease.File.Config, orders, replica.StepsAtOnce, replica.Wire, loader, options.Pipeline, time);
            var kind = ModelShape.Of(lease.File, pipeline.KvType).Kind;
            pipeline.Turned = seconds => speed.TurnTook(kind, seconds);
            if (settings.DraftModel is { } name)
            {
                draft = engine.Open(name);
                drafter = await Task.Run(() => TextModel.LoadDraft(lease.File, draft.File, new LocalPipelineOptions
                {
                    Workers = engine.Workers,
                    BlockSize = shape.BlockSize,
                    MaxStepTokens = shape.MaxStepTokens,
                    KvPositions = shape.BlockCount * (long)shape.BlockSize,
                }));
            }

            // Reading a large vocabulary takes a while: not on Orleans' thread.
            var model = await Task.Run(() => TextModel.Create(
                lease.File,
                pipeline,
                new TextModelOptions
                {
                    Name = lease.Entry.Name,
                    ContextLength = settings.ContextLength,
                    Time = time,
                    Scheduler = new SchedulerOptions
                    {
                        MaxRunning = options.MaxRunning,
                        MaxWaiting = options.MaxWaiting,
                        ChunkTokens = options.ChunkTokens,
                        PrefixSharing = options.PrefixSharing,
                        Speculation = settings.Speculation ?? (drafter is null ? options.Speculation : SpeculationKind.Draft),
                        DrainTimeout = TimeSpan.FromSeconds(options.DrainSeconds),
                    },
                },
                draft is null ? [lease] : [lease, draft],
                drafter));
            return new Deployment(model, pipeline);
        }
        catch
        {
            if (pipeline is not null)
                await pipeline.DisposeAsync();
            if (drafter is not null)
                await drafter.DisposeAsync();
            draft?.Dispose();
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Moves the stages that are on a silo to others.</summary>
    public Task<IReadOnlyList<(StageSlot From, StageSlot To)>> VacateAsync(string silo, CancellationToken cancellationToken) => _pipeline.VacateAsync(silo, cancellationToken);

    /// <summary>Frees what is here without asking the stages, which go with their silo.</summary>
    public ValueTask StopWithSiloAsync()
    {
        _pipeline.IsSiloStopping = true;
        return DisposeAsync();
    }

    /// <summary>Lets running requests end, then frees stages and file.</summary>
    public ValueTask DisposeAsync() => Model.DisposeAsync();
}
