using Slm.Engine.Adapters;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Execution;

/// <summary>All stages of a model in this process, run one after the other on the caller's thread and the pool's.</summary>
public sealed class LocalPipeline : IPipeline
{
    /// <summary>Full contexts that the default cache holds.</summary>
    private const int DefaultSequences = 4;

    private readonly Stage[] _stages;
    private readonly WorkerPool? _ownWorkers;

    private LocalPipeline(ModelConfig config, Stage[] stages, WorkerPool? ownWorkers)
    {
        Config = config;
        _stages = stages;
        _ownWorkers = ownWorkers;
    }

    /// <inheritdoc/>
    public ModelConfig Config { get; }

    /// <inheritdoc/>
    public int BlockSize => _stages[0].BlockSize;

    /// <inheritdoc/>
    public int BlockCount => _stages[0].BlockCount;

    /// <inheritdoc/>
    public int MaxStepTokens => _stages[0].MaxStepTokens;

    /// <inheritdoc/>
    public int StateSlots { get; private init; }

    /// <inheritdoc/>
    public KvType KvType { get; private init; }

    /// <inheritdoc/>
    public bool RoundedResidual { get; private init; }

    /// <summary>The stages, in order.</summary>
    public IReadOnlyList<Stage> Stages => _stages;

    /// <summary>Sets a model up. The file must outlive the pipeline.</summary>
    /// <exception cref="ModelFormatException">See <see cref="Stage.Load"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range: more stages than layers, a context longer than the model's, a cache too small for one block.</exception>
    public static LocalPipeline Load(ModelFile file, LocalPipelineOptions options)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(options);
        var config = file.Config;
        if (options.ContextLength is { } context)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(context, config.ContextLength);
            config = config with { ContextLength = context };
        }

        var ranges = LayerRange.Split(config.LayerCount, options.Stages);
        var type = options.KvType ?? file.KvType;
        var plan = Plan(config, options, type);
        var stageOptions = new StageOptions
        {
            BlockSize = options.BlockSize,
            BlockCount = plan.BlockCount,
            StateSlots = plan.StateSlots,
            KvType = type,
            RoundedResidual = options.RoundedResidual,
            MaxStepTokens = config.StepTokens(options.MaxStepTokens),
            Observer = options.Observer,
            Kernels = options.Kernels,
            ExpertPrefetch = options.ExpertPrefetch,
            ExpertOptions = options.ExpertOptions,
            RemoteExperts = options.RemoteExperts,
        };
        var own = options.Workers is null ? new WorkerPool(options.Threads) : null;
        var stages = new List<Stage>();
        try
        {
            foreach (var range in ranges)
            {
                // Every layer's share of the memory for experts.
                var experts = options.ExpertMemory is { } bytes ? (long)((decimal)bytes * range.Count / config.LayerCount) : (long?)null;
                stages.Add(Stage.Load(file, range, stageOptions with { ExpertMemory = experts }, options.Workers ?? own!));
            }

            return new LocalPipeline(config, [.. stages], own) { StateSlots = plan.StateSlots, KvType = type, RoundedResidual = options.RoundedResidual };
        }
        catch
        {
            stages.ForEach(stage => stage.Dispose());
            own?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int AdapterSlots => Stage.AdapterSlots;

    /// <inheritdoc/>
    public ValueTask LoadAdapterAsync(int slot, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        var used = new HashSet<string>(StringComparer.Ordinal);
        var loaded = 0;
        try
        {
            foreach (var stage in _stages)
            {
                cancellationToken.ThrowIfCancellationRequested();
                used.UnionWith(stage.LoadAdapter(slot, adapter));
                loaded++;
            }

            adapter.RequireAllOf(used, Config);
        }
        catch
        {
            foreach (var stage in _stages.AsSpan(0, loaded))
                stage.UnloadAdapter(slot);
            throw;
        }

        return default;
    }

    /// <inheritdoc/>
    public ValueTask UnloadAdapterAsync(int slot)
    {
        foreach (var stage in _stages)
            stage.UnloadAdapter(slot);
        return default;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">See <see cref="Stage.Forward"/>.</exception>
    public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<float> rows = default;
        foreach (var stage in _stages)
        {
            cancellationToken.ThrowIfCancellationRequested();
            rows = stage.Run(batch, rows, output, cancellationToken);
        }

        return new ValueTask<ReadOnlyMemory<float>>(rows);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var stage in _stages)
            stage.Dispose();
        _ownWorkers?.Dispose();
        return ValueTask.CompletedTask;
    }

    private static CachePlan Plan(ModelConfig config, LocalPipelineOptions options, KvType type)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BlockSize, 1);
        if (options.StateSlots is { } slots)
            ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1, nameof(options.StateSlots));
        var bytes = options.KvCacheBytes;
        var state = options.StateSlots;
        if (options.KvPositions is { } positions)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(positions, options.BlockSize, nameof(options.KvPositions));
            bytes = positions * CachePlan.BytesPerToken(config, type);
            state ??= DefaultSequences;
        }

        if (bytes is { } given)
        {
            var least = state is null ? CachePlan.LeastBytes(config, options.BlockSize, type) : CachePlan.BytesPerToken(config, type) * options.BlockSize;
            ArgumentOutOfRangeException.ThrowIfLessThan(given, least, nameof(options.KvCacheBytes));
            return CachePlan.For(config, options.BlockSize, type, given, sequences: int.MaxValue, state);
        }

        var memory = GC.GetGCMemoryInfo();
        var free = Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes);
        return CachePlan.For(config, options.BlockSize, type, free / 4, DefaultSequences, state);
    }
}
