using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Runtime;

namespace Slm.Inference.Engines;

/// <summary>A loaded model: its text side and scheduler here, its layers behind stage grains.</summary>
internal sealed class Deployment : IAsyncDisposable
{
    private readonly GrainPipeline _pipeline;

    private Deployment(TextModel model, GrainPipeline pipeline, DeploymentSettings settings, IReadOnlyList<StageInfo> stages, StageSpec shape)
    {
        Model = model;
        _pipeline = pipeline;
        Settings = settings;
        Stages = stages;
        KvCapacityBytes = (stages.Sum(s => s.KvBytesPerToken) * shape.BlockCount * shape.BlockSize) + (stages.Sum(s => s.StateBytes) * shape.StateSlots);
    }

    public TextModel Model { get; }

    public DeploymentSettings Settings { get; }

    public IReadOnlyList<StageInfo> Stages { get; }

    public long KvCapacityBytes { get; }

    /// <summary>Loads a model over stages that it starts.</summary>
    /// <param name="lease">The model's file; the deployment disposes it, also when this fails.</param>
    /// <param name="settings">How to load it.</param>
    /// <param name="stageOf">The grain of a stage.</param>
    /// <param name="engine">Has the file of the draft model and the threads that run it.</param>
    /// <param name="options">Limits.</param>
    /// <param name="time">Clock.</param>
    public static async Task<Deployment> LoadAsync(
        ModelLease lease, DeploymentSettings settings, Func<int, IStageGrain> stageOf, SiloEngine engine, InferenceOptions options, TimeProvider time)
    {
        var stages = new List<IStageGrain>();
        ModelLease? draft = null;
        LocalPipeline? drafter = null;
        try
        {
            var specs = settings.Plan(lease.Entry, lease.File, options);
            var loading = new List<Task<StageInfo>>();
            for (var s = 0; s < specs.Length; s++)
            {
                stages.Add(stageOf(s));
                loading.Add(stages[s].LoadAsync(specs[s]));
            }
            var infos = await Task.WhenAll(loading);
            var pipeline = new GrainPipeline(lease.File.Config, specs[0], stages);
            if (settings.DraftModel is { } name)
            {
                draft = engine.Open(name);
                drafter = await Task.Run(() => TextModel.LoadDraft(lease.File, draft.File, new LocalPipelineOptions
                {
                    Workers = engine.Workers,
                    BlockSize = specs[0].BlockSize,
                    MaxStepTokens = specs[0].MaxStepTokens,
                    KvPositions = specs[0].BlockCount * (long)specs[0].BlockSize,
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
            return new Deployment(model, pipeline, settings, infos, specs[0]);
        }
        catch
        {
            foreach (var stage in stages)
                await stage.UnloadAsync();
            if (drafter is not null)
                await drafter.DisposeAsync();
            draft?.Dispose();
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Frees what is here without asking the stages, which go with their silo.</summary>
    public ValueTask StopWithSiloAsync()
    {
        _pipeline.IsSiloStopping = true;
        return DisposeAsync();
    }

    /// <summary>Lets running requests end, then frees stages and file.</summary>
    public ValueTask DisposeAsync() => Model.DisposeAsync();
}
