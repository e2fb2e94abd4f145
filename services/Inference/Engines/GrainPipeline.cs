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
    private long _epoch, _number;
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

    public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = StageMessages.ToRequest(batch, output);
        FlyingStep step;
        lock (_gate)
        {
            if (_broken)
                throw new PipelineLostException("The pipeline is being repaired.");
            step = new FlyingStep(_slots, _epoch, _number, _time.GetTimestamp(), _flying.Count == 0 ? Task.CompletedTask : _flying[^1].Done.Task);
            _flying.Add(step);
            ClusterMetrics.StepChanged(_slots[0].Spec.Model, 1);
            for (var s = 0; s < _slots.Length; s++)
                step.Calls[s] = step.Slots[s].RunAsync(request.For(s, _epoch, _number, step.Returns(s)));
            _number++;
        }

        return FinishAsync(step, cancellationToken);
    }

    public async ValueTask<PipelineRecovery> RecoverAsync(Exception lost, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            var slots = (StageSlot[])_slots.Clone();
            for (var tries = 0; ; tries++)
            {
                var replaced = new List<StageSlot>();
                for (var s = 0; s < slots.Length; s++)
                {
                    slots[s] = await WithLiveExpertsAsync(slots[s], cancellationToken);
                    if (!await AliveAsync(slots[s]))
                    {
                        AvoidSilo(slots[s].Info.Silo);
                        _ = UnloadQuietlyAsync(slots[s].Grain.UnloadAsync);
                        slots[s] = await _loader.ReplaceAsync(slots[s], null, Avoided(), cancellationToken);
                        replaced.Add(slots[s]);
                        ClusterMetrics.WasReplaced(slots[s].Spec.Model, "stage", "lost");
                        _stateLost = true;
                    }

                    // Kept even if something else goes wrong: it is loaded.
                    _slots = (StageSlot[])slots.Clone();
                }

                try
                {
                    await BindAsync(replaced);
                    await BeginAsync(slots);
                    break;
                }
                catch (Exception error) when (StageErrors.MeansLost(error) && tries < 3)
                {
                    // Another one was lost meanwhile.
                }
            }

            lock (_gate)
                _broken = false;
            var recovery = new PipelineRecovery(_stateLost);
            _stateLost = false;
            Changed?.Invoke();
            return recovery;
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>Moves the stages that are on a silo to others. They are loaded there first; running answers go on after a pause.</summary>
    /// <returns>Those that moved, before and after.</returns>
    public async Task<IReadOnlyList<(StageSlot From, StageSlot To)>> VacateAsync(string silo, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken);
        try
        {
            AvoidSilo(silo);
            var slots = (StageSlot[])_slots.Clone();
            var moves = new List<(StageSlot From, StageSlot To)>();
            for (var s = 0; s < slots.Length; s++)
            {
                for (var group = 0; group < slots[s].Experts.Count; group++)
                {
                    if (slots[s].Experts[group].Info.Silo == silo)
                        slots[s] = await MoveExpertsAsync(slots[s], group, silo, cancellationToken);
                }

                if (slots[s].Info.Silo != silo)
                    continue;
                var to = await _loader.ReplaceAsync(slots[s], silo, Avoided(), cancellationToken);
                moves.Add((slots[s], to));
                ClusterMetrics.WasReplaced(to.Spec.Model, "stage", "drained");
                slots[s] = to;
            }

            if (moves.Count == 0)
            {
                _slots = slots;
                return moves;
            }

            await BindAsync(moves.Select(m => m.To));

            // The next step finds it broken, and recovers with the new stages.
            lock (_gate)
                (_slots, _stateLost, _broken) = (slots, true, true);
            Break(new PipelineLostException($"Stages of silo {silo} have moved."));

            foreach (var (from, _) in moves)
                await UnloadQuietlyAsync(from.Grain.UnloadAsync);
            Changed?.Invoke();
            return moves;
        }
        finally
        {
            _change.Release();
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

    private async ValueTask<ReadOnlyMemory<float>> FinishAsync(FlyingStep step, CancellationToken cancellationToken)
    {
        for (var s = 0; s < step.Calls.Length - 1; s++)
            _ = WatchCallAsync(step, s);
        _ = AnswerAsync(step);
        try
        {
            using var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<ReadOnlyMemory<float>>)state!).TrySetCanceled(token), step.Done);
            var rows = await step.Done.Task;
            // Steps end in the order in which they were begun; one that failed ends those behind it itself.
            await step.Before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return rows;
        }
        catch
        {
            // Stages behind the failed one wait for what never comes: a new run ends that. One stage alone waits for nobody.
            lock (_gate)
                _broken |= step.Calls.Length > 1 || StageErrors.MeansLost(step.Done.Task.Exception?.InnerException ?? new OperationCanceledException());
            throw;
        }
        finally
        {
            lock (_gate)
                _flying.Remove(step);
            ClusterMetrics.StepChanged(step.Slots[0].Spec.Model, -1);
        }
    }

    /// <summary>Passes on what the last stage answers.</summary>
    private async Task AnswerAsync(FlyingStep step)
    {
        try
        {
            step.Done.TrySetResult((await step.Calls[^1]).Values.Values);
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Fail(step, step.Calls.Length - 1, error);
        }
    }

    /// <summary>Notices where an earlier stage fails, and passes on what it returns for the stage behind, which is here.</summary>
    private async Task WatchCallAsync(FlyingStep step, int stage)
    {
        try
        {
            var result = await step.Calls[stage];
            if (result.Rows is not { } rows)
                return;
            ClusterMetrics.Sent(
                step.Slots[stage].Spec.Model, stage, rows.Format, rows.Payload.Length, sameSilo: false, _time.GetElapsedTime(step.Started) - TimeSpan.FromMicroseconds(result.ComputeMicroseconds));
            step.Slots[stage + 1].Here!.Arrive(step.Epoch, step.Number, rows);
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Fail(step, stage, error);
        }
    }

    /// <summary>Ends all steps: those of stages that are lost, and all in flight behind one that failed, can be repeated.</summary>
    private void Fail(FlyingStep failed, int stage, Exception error)
    {
        if (failed.Done.Task.IsCompleted)
            return;
        var lost = StageErrors.MeansLost(error);
        if (lost && StageErrors.Has(error, StageErrors.NextLost))
            AvoidSilo(failed.Slots[stage + 1].Info.Silo);
        failed.Done.TrySetException(lost ? new PipelineLostException($"Stage {failed.Slots[stage].Key} did not complete a step: {error.Message}", error) : error);
        if (failed.Slots.Length == 1 && !lost)
            return;
        Break(new PipelineLostException("A step before this one failed.", error));
    }

    /// <summary>Ends the steps in flight; none is begun before the pipeline is whole again.</summary>
    private void Break(PipelineLostException lost)
    {
        FlyingStep[] flying;
        lock (_gate)
        {
            _broken = true;
            flying = [.. _flying];
        }

        foreach (var step in flying)
            step.Done.TrySetException(lost);
    }

    private Task<bool> AliveAsync(StageSlot slot) => AliveAsync(slot.Info.Silo, slot.Grain.PingAsync);

    private async Task<bool> AliveAsync(string silo, Func<Task<bool>> ping)
    {
        if (Avoided().Contains(silo))
            return false;
        try
        {
            return await _loader.Silos.AnswerAsync(ping(), silo, CancellationToken.None);
        }
#pragma warning disable CA1031 // Whatever went wrong, it did not answer.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    private async Task BeginAsync(StageSlot[] slots)
    {
        _epoch++;
        var begun = await Task.WhenAll(slots.Select((slot, s) =>
            _loader.Silos.AnswerAsync(slot.Grain.BeginAsync(new StageRun(_epoch, s + 1 < slots.Length ? slots[s + 1].Key : null, Depth, _wire)), slot.Info.Silo, CancellationToken.None)));
        for (var s = 0; s < slots.Length; s++)
        {
            if (!begun[s])
                throw new TimeoutException($"Stage {slots[s].Key} holds no layers any more.");
        }

        _number = 0;
    }

    private void AvoidSilo(string silo)
    {
        // Whoever thinks so lives there.
        if (silo == _loader.Silos.Local)
            return;
        lock (_avoided)
            _avoided[silo] = _time.GetTimestamp();
    }

    private HashSet<string> Avoided()
    {
        lock (_avoided)
            return [.. _avoided.Where(a => _time.GetElapsedTime(a.Value) < _options.Avoid).Select(a => a.Key)];
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

    /// <summary>A step on its way. Who awaits its end goes on from the thread that ends it, and does little there.</summary>
    private sealed class FlyingStep(StageSlot[] slots, long epoch, long number, long started, Task before)
    {
        public StageSlot[] Slots { get; } = slots;

        public long Epoch { get; } = epoch;

        public long Number { get; } = number;

        public long Started { get; } = started;

        public Task Before { get; } = before;

        public Task<StageResult>[] Calls { get; } = new Task<StageResult>[slots.Length];

        public TaskCompletionSource<ReadOnlyMemory<float>> Done { get; } = new();

        /// <summary>True if a stage elsewhere returns its activations for the stage behind, which is here.</summary>
        public bool Returns(int stage) => Slots[stage].Here is null && stage + 1 < Slots.Length && Slots[stage + 1].Here is not null;
    }
}
