using System.Threading.Channels;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>
/// Runs another pipeline's steps late and on a thread of its own, in order, as many at a time as wanted, and loses some of
/// them by a seed: before or after they were computed, in the middle of the layers, and with or without all state. It
/// checks that its caller keeps to the contract of <see cref="IPipeline"/>.
/// </summary>
internal sealed class FragilePipeline : IPipeline
{
    private readonly Func<IPipeline> _create;
    private readonly Random _random;
    private readonly float[][] _rows;
    private readonly Channel<Job> _jobs = Channel.CreateUnbounded<Job>();
    private readonly List<Job> _inFlight = [];
    private readonly Lock _gate = new();
    private readonly bool _inline;
    private readonly Task _worker;
    private IPipeline _inner;
    private long _calls;
    private Break _broken;
    private bool _recovering;
    private int _faults;

    /// <param name="create">Makes the pipeline, and another like it when its state is lost.</param>
    /// <param name="seed">Of the faults.</param>
    /// <param name="depth">Steps at a time; 0: one, computed by the caller's thread before its call returns.</param>
    public FragilePipeline(Func<IPipeline> create, int seed, int depth)
    {
        _create = create;
        _inner = create();
        _random = new Random(seed);
        _inline = depth == 0;
        Depth = Math.Max(1, depth);
        _rows = [.. Enumerable.Repeat(Array.Empty<float>(), Depth)];
        _worker = Task.Run(WorkAsync);
    }

    private enum Break
    {
        None,
        StateKept,
        StateLost,
    }

    /// <summary>Share of the steps that are lost.</summary>
    public double FaultRate { get; set; }

    /// <summary>Steps that are lost from now on, whatever the rate.</summary>
    public int Faults { get; set; }

    /// <summary>Whether the faults take all state; null: every other one.</summary>
    public bool? LosesState { get; init; }

    /// <summary>Awaited by a recovery.</summary>
    public Func<CancellationToken, Task>? OnRecover { get; set; }

    /// <summary>What the adapters in its slots were loaded from.</summary>
    public Func<int, LoraAdapter>? Reopen { get; init; }

    /// <summary>Most steps that were in flight together.</summary>
    public int MostInFlight { get; private set; }

    public int StatesLost { get; private set; }

    public int Recoveries { get; private set; }

    public int Depth { get; }

    public ModelConfig Config => _inner.Config;

    public int BlockSize => _inner.BlockSize;

    public int BlockCount => _inner.BlockCount;

    public int MaxStepTokens => _inner.MaxStepTokens;

    public int StateSlots => _inner.StateSlots;

    public int AdapterSlots => _inner.AdapterSlots;

    public KvType KvType => _inner.KvType;

    private HashSet<int> Loaded { get; } = [];

    public async ValueTask LoadAdapterAsync(int slot, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        await _inner.LoadAdapterAsync(slot, adapter, cancellationToken);
        Loaded.Add(slot);
    }

    public ValueTask UnloadAdapterAsync(int slot)
    {
        Loaded.Remove(slot);
        return _inner.UnloadAdapterAsync(slot);
    }

    public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        var job = new Job(batch, output, (int)(_calls++ % Depth), BlockSize);
        lock (_gate)
        {
            Require(!_recovering, "a step begins during a recovery");
            RequireDisjoint(job);
            _inFlight.Add(job);
            Require(_inFlight.Count <= Depth, $"{_inFlight.Count} steps are in flight");
            MostInFlight = Math.Max(MostInFlight, _inFlight.Count);
        }

        // What was returned so many calls ago may be read no more.
        _rows[job.Slot].AsSpan().Fill(float.NaN);
        if (_inline)
            Run(job);
        else
            Require(_jobs.Writer.TryWrite(job), "it is disposed");
        return new ValueTask<ReadOnlyMemory<float>>(job.Done.Task);
    }

    public async ValueTask<PipelineRecovery> RecoverAsync(Exception lost, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            Require(!_recovering && _broken != Break.None && _inFlight.Count == 0, $"a recovery of {_broken} with {_inFlight.Count} steps in flight");
            _recovering = true;
        }

        Require(lost is PipelineLostException, $"{lost} is none of a step's");
        try
        {
            await Task.Yield();
            if (OnRecover is not null)
                await OnRecover(cancellationToken);
            Recoveries++;
            var stateLost = _broken == Break.StateLost;
            _broken = Break.None;
            if (stateLost)
            {
                StatesLost++;
                await _inner.DisposeAsync();
                _inner = _create();
                foreach (var slot in Loaded)
                {
                    using var adapter = Reopen!(slot);
                    await _inner.LoadAdapterAsync(slot, adapter, cancellationToken);
                }
            }

            return new PipelineRecovery(stateLost);
        }
        finally
        {
            lock (_gate)
                _recovering = false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.TryComplete();
        await _worker;
        await _inner.DisposeAsync();
    }

    private async Task WorkAsync()
    {
        await foreach (var job in _jobs.Reader.ReadAllAsync())
        {
            // So that more steps come in.
            for (var i = _random.Next(8); i > 0; i--)
                await Task.Yield();
            Run(job);
        }
    }

    private void Run(Job job)
    {
        try
        {
            // Behind a loss steps that were in flight already may pass, unless what they need is gone.
            if (_broken == Break.StateLost || (_broken == Break.StateKept && _random.Next(2) == 0))
                throw new PipelineLostException("The stage behind is gone.");
            var lost = Faults > 0 || _random.NextDouble() < FaultRate;
            var when = _random.Next(3);
            if (lost)
            {
                Faults = Math.Max(0, Faults - 1);
                var all = LosesState ?? _faults++ % 2 == 0;
                _broken = all || _broken == Break.StateLost ? Break.StateLost : Break.StateKept;
                if (when == 0)
                    throw new PipelineLostException("The step did not arrive.");
                if (when == 1 && _inner is LocalPipeline { Stages: [var first, _, ..] })
                {
                    first.Run(job.Batch, default, job.Output, CancellationToken.None);
                    throw new PipelineLostException("The second stage is gone.");
                }
            }

            var rows = _inner.ForwardAsync(job.Batch, job.Output, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            if (lost)
                throw new PipelineLostException("The last stage did not answer.");
            if (_rows[job.Slot].Length < rows.Length)
                _rows[job.Slot] = new float[rows.Length];
            rows.CopyTo(_rows[job.Slot]);
            Leave(job);
            job.Done.SetResult(_rows[job.Slot].AsMemory(0, rows.Length));
        }
        catch (Exception error)
        {
            Leave(job);
            job.Done.SetException(error);
        }
    }

    private void Leave(Job job)
    {
        lock (_gate)
            _inFlight.Remove(job);
    }

    private void RequireDisjoint(Job job)
    {
        foreach (var other in _inFlight)
        {
            foreach (var (part, before) in job.Parts.SelectMany(part => other.Parts.Select(before => (part, before))))
                Require(part.Follows(before) || (!part.Written.Overlaps(before.Blocks) && !before.Written.Overlaps(part.Blocks)), "two steps in flight share a block that one of them writes");
            Require(!job.States.Overlaps(other.States), "two steps in flight share a state");
        }
    }

    private static void Require(bool condition, string text) => Assert.True(condition, $"The scheduler broke the contract: {text}.");

    /// <summary>A step, with the blocks and states it uses.</summary>
    private sealed class Job
    {
        public Job(StepBatch batch, StepOutput output, int slot, int blockSize)
        {
            Batch = batch;
            Output = output;
            Slot = slot;
            foreach (ref readonly var item in batch.Items)
            {
                var blocks = batch.BlocksOf(item).ToArray();
                var lead = item.LeadingBlocks(blockSize);
                var (first, last) = batch.Encodes
                    ? (0, blocks.Length - 1)
                    : (lead + (item.StartPosition / blockSize), lead + ((item.StartPosition + item.Count - 1) / blockSize));
                Parts.Add(new Part(blocks, [.. blocks[first..(last + 1)]], batch.Encodes || item.StateSlot >= 0 ? null : item.StartPosition, item.StartPosition + item.Count));
                if (item.StateSlot >= 0)
                    States.Add(item.StateSlot);
            }
        }

        public StepBatch Batch { get; }

        public StepOutput Output { get; }

        public int Slot { get; }

        public TaskCompletionSource<ReadOnlyMemory<float>> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<Part> Parts { get; } = [];

        public HashSet<int> States { get; } = [];
    }

    /// <summary>A sequence's tokens in a step.</summary>
    /// <param name="Blocks">Its blocks.</param>
    /// <param name="Written">Those that the step writes.</param>
    /// <param name="Start">Position of the first token; null where nothing may come behind the step before it has ended.</param>
    /// <param name="End">Behind the last one.</param>
    private sealed record Part(int[] Blocks, HashSet<int> Written, int? Start, int End)
    {
        /// <summary>The same sequence further on: it writes behind what the other one writes and reads.</summary>
        public bool Follows(Part before) => before.Start is not null && Start >= before.End && Blocks.AsSpan().StartsWith(before.Blocks);
    }
}
