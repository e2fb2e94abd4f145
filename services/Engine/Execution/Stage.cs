using Slm.Engine.Adapters;
using Slm.Engine.Architectures;
using Slm.Engine.Blocks;
using Slm.Engine.Experts;
using Slm.Engine.Formats;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Execution;

/// <summary>
/// A contiguous range of a model's layers with their KV blocks. The first one embeds tokens, the last one has the final norm
/// and the head; one stage may be both. One step runs at a time. The model file must outlive the stage.
/// </summary>
/// <remarks>A row of the result has the same bits however the layers are split, the prompt cut, the step batched, or the work threaded.</remarks>
public sealed class Stage : IDisposable
{
    private readonly ModelConfig _config;
    private readonly Embedding? _embedding;
    private readonly RotaryPositions _positions;
    private readonly IBlock[] _blocks;
    private readonly VisitCounts[] _visits;
    private readonly OutputHead? _head;
    private readonly KvCache _cache;
    private readonly RecurrentCache _states;
    private readonly StepContext _context;
    private readonly PackedWeights _packed;
    private readonly ExpertCache? _experts;
    private readonly StageAdapters _adapters;
    private readonly bool _expertsElsewhere;
    private readonly WorkerPool _workers;
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _step = new();
    private int _waiting;
    private bool _disposed;

    private Stage(ModelFile file, LayerRange range, StageOptions options, WorkerPool workers)
    {
        _config = file.Config;
        Range = range;
        _expertsElsewhere = options.RemoteExperts is not null;
        var architecture = ArchitectureCatalog.Get(_config.Architecture);
        Check(_config);
        var experts = options.ExpertMemory is { } bytes && _config.Experts is not null
            ? new ExpertCache(file, options.ExpertOptions(new ExpertCacheOptions { MemoryBytes = bytes, Prefetch = options.ExpertPrefetch }))
            : null;
        var others = options.RemoteExperts is { } remote ? new ExpertFanOut(_config, options.MaxStepTokens, remote) : null;
        var weights = new ModelWeights(file, options.Kernels, experts) { FanOut = others, HeldExperts = others?.Local!, RoundedExperts = options.RoundedResidual };
        if (range.First == 0)
            _embedding = architecture.Embedding(weights);
        var blocks = new List<IBlock>();
        for (var layer = range.First; layer < range.End; layer++)
        {
            blocks.AddRange(architecture.Layer(weights, layer, layer - range.First));
            if (options.RoundedResidual)
                blocks.Add(new RoundedResidual(_config.HiddenSize));
        }

        _blocks = [.. blocks];
        _visits = [.. blocks.OfType<ExpertsBlock>().Select(block => block.Visits)];
        HeldExperts = _visits.Length == 0 ? ExpertSlice.None : weights.HeldExperts;
        _positions = architecture.Positions(weights);
        if (range.End == _config.LayerCount)
            _head = architecture.Head(weights);
        if (experts is { LayerCount: > 0 })
        {
            experts.Open();
            _experts = experts;
        }

        _workers = workers;
        _packed = new PackedWeights(weights.Matrices);
        WeightBytes = weights.Bytes;
        var kvType = options.KvType ?? file.KvType;
        KvBytesPerToken = CachePlan.BytesPerToken(_config, range, kvType);
        StateBytes = CachePlan.BytesPerState(_config, range);
        var states = Enumerable.Range(range.First, range.Count).Select(_config.StateOf).ToArray();
        _cache = new KvCache([.. states.Select(state => state.Attention)], options.BlockCount, options.BlockSize, kvType);
        _states = new RecurrentCache(states, StateBytes == 0 ? 0 : options.StateSlots);
        _context = new StepContext(_config, options.MaxStepTokens, _cache, _states, workers, options.Kernels) { Observer = options.Observer };
        _adapters = new StageAdapters(weights.Matrices, _embedding?.Table, _context.Adapters);
    }

    /// <summary>The layers.</summary>
    public LayerRange Range { get; }

    /// <summary>True for the first stage: it takes tokens.</summary>
    public bool HasEmbedding => _embedding is not null;

    /// <summary>True for the last stage: it returns logits.</summary>
    public bool HasHead => _head is not null;

    /// <summary>Elements of a row of the residual stream.</summary>
    public int HiddenSize => _config.HiddenSize;

    /// <summary>Bytes of the tensors this stage reads from the mapped file.</summary>
    public long WeightBytes { get; }

    /// <summary>What has become of experts that are read when tokens visit them; null if all stay in memory or there are none.</summary>
    public ExpertCacheStats? Experts => _experts?.Stats;

    /// <summary>Experts of its layers that the stage holds itself; none if the layers have no experts, or others hold all of them.</summary>
    public ExpertSlice HeldExperts { get; }

    /// <summary>How often each of them has been visited, of every layer that has experts.</summary>
    public IReadOnlyList<ExpertLayerVisits> Visits => [.. _visits.Select(layer => layer.Visits)];

    /// <summary>Visits of all of them in all layers.</summary>
    public long VisitCount => _visits.Sum(layer => layer.Total);

    /// <summary>
    /// Done when every matrix lies as products read it best, which goes on between the steps after loading; or when the stage is
    /// disposed. Steps before that give the same bits, more slowly.
    /// </summary>
    public Task Settled => _settled.Task;

    /// <summary>KV bytes of one position over the stage's layers.</summary>
    public long KvBytesPerToken { get; }

    /// <summary>Bytes of a slot of recurrent state over the stage's layers.</summary>
    public long StateBytes { get; }

    /// <summary>Slots of recurrent state; 0 if the stage keeps none.</summary>
    public int StateSlots => _states.Slots;

    /// <summary>Positions per KV block.</summary>
    public int BlockSize => _cache.BlockSize;

    /// <summary>Number of KV blocks.</summary>
    public int BlockCount => _cache.BlockCount;

    /// <summary>Adapters that a stage can hold, in slots 1 to this.</summary>
    public static int AdapterSlots => StageAdapters.Slots;

    /// <summary>Most tokens one step may carry.</summary>
    public int MaxStepTokens => _context.MaxTokens;

    /// <summary>Finds and checks the stage's tensors and reserves its memory.</summary>
    /// <param name="file">The model; weights are used where it maps them.</param>
    /// <param name="range">Layers to hold.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="workers">Threads that run the steps; may be shared between stages.</param>
    /// <exception cref="ModelFormatException">The architecture is unknown, or a tensor is missing, misshapen or of an unsupported type.</exception>
    /// <exception cref="ExpertMemoryException">The memory for experts does not hold those of one token.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is empty or outside the model, or an option is out of range.</exception>
    /// <exception cref="ArgumentException">Options exclude each other, or the groups of experts are not those of the model.</exception>
    public static Stage Load(ModelFile file, LayerRange range, StageOptions options, WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(workers);
        if (range.First < 0 || range.Count < 1 || range.End > file.Config.LayerCount)
            throw new ArgumentOutOfRangeException(nameof(range), range, $"The model has {file.Config.LayerCount} layers.");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BlockCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxStepTokens, 1);
        if (CachePlan.BytesPerState(file.Config) > 0)
            ArgumentOutOfRangeException.ThrowIfLessThan(options.StateSlots, 1);
        if (options.RemoteExperts is not null && options.ExpertMemory is not null)
            throw new ArgumentException("Experts that are read when they are visited (ExpertMemory) cannot have others beside them in groups (RemoteExperts); leave one of the two out.", nameof(options));
        if (options.RemoteExperts is not null && options.Observer is not null)
            throw new ArgumentException("An observer would not see the inputs of experts in other processes; observe a stage that holds all of them.", nameof(options));
        var stage = new Stage(file, range, options, workers);
        new Thread(stage.Settle) { IsBackground = true, Name = $"slm-settle-{range.First}" }.Start();
        return stage;
    }

    /// <summary>Runs the stage's part of a step.</summary>
    /// <param name="batch">The step: positions and KV blocks, and for the first stage the tokens.</param>
    /// <param name="input">Residual stream [TokenCount, hidden] from the stage before; empty for the first.</param>
    /// <param name="output">What the last stage returns.</param>
    /// <returns>
    /// [TokenCount, hidden] of a stage without head; else [OutputRows, vocabulary] or, of hidden states after the final norm,
    /// [OutputRows, hidden]. Valid until the next call.
    /// </returns>
    /// <exception cref="ArgumentException">A token is not in the vocabulary, a block does not exist, a block table is too short, the step is too large, or the input has another size.</exception>
    public ReadOnlyMemory<float> Forward(StepBatch batch, ReadOnlyMemory<float> input, StepOutput output) => Run(batch, input, output, CancellationToken.None);

    /// <summary>As <see cref="Forward"/>; the token ends a step that waits for the disk or for other silos, whose positions then have no state.</summary>
    /// <exception cref="PipelineLostException">Experts in another process cannot be reached, or have failed.</exception>
    public ReadOnlyMemory<float> Run(StepBatch batch, ReadOnlyMemory<float> input, StepOutput output, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Interlocked.Increment(ref _waiting);
        lock (_step)
        {
            Interlocked.Decrement(ref _waiting);
            ObjectDisposedException.ThrowIf(_disposed, this);
            Check(batch, input.Length);
            if (batch.TokenCount == 0)
                return default;
            // Steps that follow each other closely leave no time between them, so each does a share.
            _packed.PackNext(_workers);
            foreach (ref readonly var copy in batch.Copies)
                _cache.CopyBlock(copy.From, copy.To);
            foreach (ref readonly var copy in batch.StateCopies)
            {
                if (StateSlots > 0)
                    _states.Copy(copy.From, copy.To);
            }

            _context.Begin(batch);
            _context.Cancellation = cancellationToken;
            _positions.Fill(_context);
            if (_embedding is not null)
                _embedding.Forward(_context);
            else
                input.CopyTo(_context.HiddenArray.Memory);
            foreach (var block in _blocks)
                block.Forward(_context);
            return _head is not null
                ? _head.Forward(_context, output)
                : _context.HiddenArray.Memory[..(batch.TokenCount * _config.HiddenSize)];
        }
    }

    /// <summary>Copies what an adapter has for this stage into a free slot; steps may run meanwhile.</summary>
    /// <param name="slot">1 to <see cref="AdapterSlots"/>.</param>
    /// <param name="adapter">May be disposed afterwards.</param>
    /// <returns>The tensors of the adapter that this stage multiplies by or looks up.</returns>
    /// <exception cref="AdapterFormatException">It does not fit the stage's matrices.</exception>
    /// <exception cref="InvalidOperationException">The slot is taken.</exception>
    public IReadOnlyCollection<string> LoadAdapter(int slot, LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        if (_expertsElsewhere && adapter.ExpertTensor is { } tensor)
            throw new AdapterFormatException(adapter.Name, tensor, $"it changes the experts in '{tensor}', which is not supported where groups on several silos hold them; load the model without expert groups to use it.");
        var copy = _adapters.Read(adapter);
        lock (_step)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _adapters.Bind(slot, copy);
        }

        return copy.Tensors;
    }

    /// <summary>Frees a slot after the running step; steps that name it are refused from then on. Nothing happens if it is empty.</summary>
    public void UnloadAdapter(int slot)
    {
        lock (_step)
        {
            if (!_disposed)
                _adapters.Release(slot);
        }
    }

    /// <summary>Frees the KV blocks and the scratch memory, after the running step.</summary>
    public void Dispose()
    {
        lock (_step)
        {
            if (_disposed)
                return;
            _disposed = true;
            _adapters.Dispose();
            _context.Dispose();
            _cache.Dispose();
            _states.Dispose();
            _packed.Dispose();
            _experts?.Dispose();
            _settled.TrySetResult();
        }
    }

    /// <summary>Packs one matrix after the other whenever no step wants to run.</summary>
    private void Settle()
    {
        for (var more = true; more;)
        {
            SpinWait.SpinUntil(() => Volatile.Read(ref _waiting) == 0);
            lock (_step)
            {
                if (_disposed)
                    return;
                _packed.PackNext(_workers);
                more = !_packed.IsComplete;
            }
        }

        _settled.TrySetResult();
    }

    /// <summary>What the kernels rely on.</summary>
    private static void Check(ModelConfig config)
    {
        void Require(bool holds, string what)
        {
            if (!holds)
                throw new ModelFormatException($"Model of architecture '{config.Architecture}': {what}.");
        }

        Require(config.HiddenSize > 0 && config.VocabSize > 0, "hidden and vocabulary sizes must be positive");
        Require(config.HeadCount > 0 || config.Ssm is not null, "it has neither attention heads nor recurrent ones");
        if (config.HeadCount > 0)
        {
            Require(config.HeadSize > 0, "its heads have no size");
            Require(config.KeyValueHeadCount > 0 && config.HeadCount % config.KeyValueHeadCount == 0, $"{config.HeadCount} query heads are not a multiple of {config.KeyValueHeadCount} KV heads");
        }

        Require(
            config.Rope.Dimensions >= 0 && config.Rope.Dimensions % 2 == 0 && config.Rope.Dimensions <= config.HeadSize,
            $"{config.Rope.Dimensions} rotary dimensions do not fit a head of {config.HeadSize}");
        Require(config.WindowRope is null || config.WindowRope.Dimensions == config.Rope.Dimensions, "its two rotations differ in their dimensions");
        Require((long)config.HeadCount * config.HeadSize <= 1 << 20 && config.FeedForwardSize <= 1 << 24, "sizes are absurd");
    }

    private void Check(StepBatch batch, int inputLength)
    {
        if (batch.TokenCount > MaxStepTokens)
            throw new ArgumentException($"The step has {batch.TokenCount} tokens; this stage takes at most {MaxStepTokens}.", nameof(batch));
        if (_embedding is null && inputLength != batch.TokenCount * _config.HiddenSize)
            throw new ArgumentException($"The input has {inputLength} values; expected {batch.TokenCount} tokens of {_config.HiddenSize}.", nameof(batch));
        if (_embedding is not null)
        {
            foreach (var token in batch.Tokens)
            {
                if ((uint)token >= (uint)_config.VocabSize)
                    throw new ArgumentException($"Token {token} is not in the vocabulary of {_config.VocabSize}.", nameof(batch));
            }
        }

        foreach (ref readonly var copy in batch.Copies)
        {
            if ((uint)copy.From >= (uint)BlockCount || (uint)copy.To >= (uint)BlockCount)
                throw new ArgumentException($"KV block {copy.From} cannot be copied to {copy.To}; there are {BlockCount}.", nameof(batch));
        }

        foreach (ref readonly var copy in batch.StateCopies)
        {
            if (StateSlots > 0 && ((uint)copy.From >= (uint)StateSlots || (uint)copy.To >= (uint)StateSlots))
                throw new ArgumentException($"State slot {copy.From} cannot be copied to {copy.To}; there are {StateSlots}.", nameof(batch));
        }

        if (batch.Encodes && _config.Encoder is null)
            throw new ArgumentException($"The step is for an encoder; '{_config.Architecture}' has none.", nameof(batch));
        if (batch.Encodes && batch.OutputRows.Length > 0)
            throw new ArgumentException("The step encodes, so it has no output rows.", nameof(batch));
        foreach (ref readonly var item in batch.Items)
        {
            Check(batch, in item);
            if (StateSlots > 0 && (uint)item.StateSlot >= (uint)StateSlots)
                throw new ArgumentException($"State slot {item.StateSlot} does not exist; there are {StateSlots}.", nameof(batch));
            if (!_adapters.Has(item.Adapter))
                throw new ArgumentException($"Adapter slot {item.Adapter} is empty.", nameof(batch));
            if (item.StartPosition + (long)item.Count > (long)(item.BlockCount - item.LeadingBlocks(BlockSize)) * BlockSize)
            {
                throw new ArgumentException(
                    $"{item.BlockCount} blocks of {BlockSize} do not hold positions {item.StartPosition} to {item.StartPosition + (long)item.Count - 1}.", nameof(batch));
            }

            foreach (var block in batch.BlocksOf(in item))
            {
                if ((uint)block >= (uint)BlockCount)
                    throw new ArgumentException($"KV block {block} does not exist; there are {BlockCount}.", nameof(batch));
            }
        }
    }

    /// <summary>What of a text must be in one step, and that positions have their rows.</summary>
    private void Check(StepBatch batch, in StepItem item)
    {
        if ((batch.Encodes || !_config.IsCausal) && item.StartPosition != 0)
            throw new ArgumentException($"A text begins at position {item.StartPosition} of the step; '{_config.Architecture}' computes it as a whole.", nameof(batch));
        if (!_config.IsCausal && item.Count > _config.ContextLength)
            throw new ArgumentException($"A text has {item.Count} tokens; '{_config.Architecture}' has positions for {_config.ContextLength}.", nameof(batch));
        var needsEncoder = _config.Encoder is not null && !batch.Encodes;
        if (needsEncoder != item.EncoderTokens > 0)
        {
            throw new ArgumentException(
                needsEncoder ? "A sequence has no encoder input, which its decoder attends to."
                    : $"A sequence has an encoder input of {item.EncoderTokens} tokens, for which this step has no use.",
                nameof(batch));
        }
    }
}
