using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Inference.Engines;

/// <summary>
/// A model's stages behind grains, in order. A step goes to all stages at once, its activations from stage to stage; within a
/// silo they pass by reference, between silos they are copied. A stage that is lost is replaced on another silo, and the
/// scheduler computes again what it held.
/// </summary>
internal sealed partial class GrainPipeline : IPipeline
{
    private readonly StageLoader _loader;
    private readonly PipelineOptions _options;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, long> _avoided = new(StringComparer.Ordinal);
    private readonly Dictionary<int, StageAdapterSpec> _bound = [];
    private readonly SemaphoreSlim _change = new(1, 1);
    private readonly Lock _gate = new();
    private readonly List<FlyingStep> _flying = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _watch;
    private readonly int _wire;
    private volatile StageSlot[] _slots;
    private long _epoch, _number, _lastEnded, _turns;
    private bool _broken, _stateLost;

    private GrainPipeline(ModelConfig config, StageSlot[] slots, int depth, int wire, StageLoader loader, PipelineOptions options, TimeProvider time)
    {
        (Config, _slots, Depth, _wire, _loader, _options, _time) = (config, slots, depth, wire, loader, options, time);
        KvType = Enum.Parse<KvType>(slots[0].Spec.KvType);
        _watch = Task.Run(WatchAsync);
    }

    public ModelConfig Config { get; }

    public int BlockSize => _slots[0].Spec.BlockSize;

    public int BlockCount => _slots[0].Spec.BlockCount;

    public int MaxStepTokens => _slots[0].Spec.MaxStepTokens;

    public int StateSlots => _slots[0].Spec.StateSlots;

    public int AdapterSlots => Stage.AdapterSlots;

    public int Depth { get; }

    public KvType KvType { get; }

    public bool RoundedResidual => _slots[0].Spec.RoundedResidual;

    /// <summary>The stages as they are now.</summary>
    public IReadOnlyList<StageSlot> Slots => _slots;

    /// <summary>Told, now and then, how many seconds were between two steps of one answer.</summary>
    public Action<double>? Turned { get; set; }

    /// <summary>Told when a stage has been replaced.</summary>
    public Action? Changed { get; set; }

    /// <summary>Set where the silo stops: its stages go by themselves, and grains cannot be reached any more.</summary>
    public bool IsSiloStopping { get; set; }

    /// <summary>Loads all stages, in parallel.</summary>
    /// <param name="config">The model.</param>
    /// <param name="orders">The stages, in order.</param>
    /// <param name="depth">Steps in flight at a time.</param>
    /// <param name="wire">How activations are written between stages.</param>
    /// <param name="loader">Starts them.</param>
    /// <param name="options">When a stage counts as lost.</param>
    /// <param name="time">Clock.</param>
    public static async Task<GrainPipeline> LoadAsync(
        ModelConfig config, IReadOnlyList<StageOrder> orders, int depth, int wire, StageLoader loader, PipelineOptions options, TimeProvider time)
    {
        var loading = orders.Select(loader.LoadAsync).ToArray();
        GrainPipeline? pipeline = null;
        try
        {
            pipeline = new GrainPipeline(config, await Task.WhenAll(loading), depth, wire, loader, options, time);
            await pipeline.BeginAsync(pipeline._slots);
            return pipeline;
        }
        catch
        {
            if (pipeline is not null)
                await pipeline.DisposeAsync();
            else
                await Task.WhenAll(loading.Where(l => l.IsCompletedSuccessfully).Select(l => UnloadQuietlyAsync(l.Result)));
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _watch;
        if (!IsSiloStopping)
            await Task.WhenAll(_slots.Select(UnloadQuietlyAsync));
        _ended.Dispose();
        _change.Dispose();
    }

    private static Task UnloadQuietlyAsync(StageSlot slot) =>
        Task.WhenAll(slot.Experts.Select(e => UnloadQuietlyAsync(e.Grain.UnloadAsync)).Prepend(UnloadQuietlyAsync(slot.Grain.UnloadAsync)));

    private static async Task UnloadQuietlyAsync(Func<Task> unload)
    {
        try
        {
            await unload();
        }
#pragma warning disable CA1031 // It is gone, or frees itself when its lease ends.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
