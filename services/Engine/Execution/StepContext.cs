using Slm.Engine.Adapters;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Execution;

/// <summary>Consecutive new tokens of one sequence that attend together.</summary>
internal readonly record struct QueryGroup(int Item, int FirstToken, int Count);

/// <summary>What the blocks of a stage share while a step runs: the batch, positions, scratch memory, kernels, threads.</summary>
internal sealed unsafe class StepContext : IDisposable
{
    /// <summary>Most queries of a <see cref="QueryGroup"/>.</summary>
    public const int GroupQueries = 8;

    private const int MaxSharedChunks = 512;
    private readonly NativeArena _arena = new();
    private readonly QueryGroup[] _groups;
    private readonly int[] _positions;
    private readonly int[] _items;
    private readonly int[] _groupsLeft;
    private readonly float* _workerScratch;
    private readonly long _workerFloats;

    public StepContext(ModelConfig config, int maxTokens, KvCache cache, RecurrentCache states, WorkerPool workers, KernelSet kernels)
    {
        Config = config;
        MaxTokens = maxTokens;
        Cache = cache;
        States = states;
        Workers = workers;
        Kernels = kernels;
        _groups = new QueryGroup[maxTokens];
        _positions = new int[maxTokens];
        _items = new int[maxTokens];
        var widths = new StepWidths(config);
        var feedForward = Math.Max(config.FeedForwardSize, config.Experts?.SharedFeedForwardSize ?? 0);
        var widest = widths.Input;
        var groupFloats = GroupQueries * (long)widths.Group * ((2 * AttentionState.ChunkPositions) + (2 * AttentionState.Floats(cache.MaxStride)));
        _workerFloats = (Math.Max(MatMulTask.ScratchFloats(widest), groupFloats) + 15) & ~15L;
        ChunkCapacity = Math.Min(MaxSharedChunks, (cache.BlockCount * (long)cache.BlockSize / AttentionState.ChunkPositions) + 1);
        SharedGroups = workers.Threads == 1 ? 0 : (workers.Threads * 4) + widths.KeyValueHeads;
        _groupsLeft = new int[SharedGroups];
        var shared = _arena.Reserve<float>(checked(SharedGroups * ChunkCapacity * GroupQueries * widths.Group * AttentionState.Floats(cache.MaxStride)));
        var normed = _arena.Reserve<float>(maxTokens * (long)config.HiddenSize);
        var query = _arena.Reserve<float>(maxTokens * widths.Queries);
        var key = _arena.Reserve<float>(maxTokens * widths.Keys);
        var value = _arena.Reserve<float>(maxTokens * widths.Values);
        var attended = _arena.Reserve<float>(maxTokens * widths.Attended);
        var gate = _arena.Reserve<float>(maxTokens * (long)feedForward);
        var up = _arena.Reserve<float>(maxTokens * (long)feedForward);
        var int8 = _arena.Reserve<sbyte>(maxTokens * widest);
        var scales = _arena.Reserve<ActivationScale>(maxTokens * (widest / 32 + 1));
        var pairs = config.Rope.Dimensions / 2;
        var cosines = _arena.Reserve<float>((long)maxTokens * pairs);
        var sines = _arena.Reserve<float>((long)maxTokens * pairs);
        var windowPairs = config.WindowRope is null ? 0 : pairs;
        var windowCosines = _arena.Reserve<float>((long)maxTokens * windowPairs);
        var windowSines = _arena.Reserve<float>((long)maxTokens * windowPairs);
        var scratch = _arena.Reserve<float>(workers.Threads * _workerFloats);
        HiddenArray = new PinnedArray(maxTokens * (long)config.HiddenSize);
        Normed = _arena.Get<float>(normed);
        Query = _arena.Get<float>(query);
        Key = _arena.Get<float>(key);
        Value = _arena.Get<float>(value);
        Attended = _arena.Get<float>(attended);
        Gate = _arena.Get<float>(gate);
        Up = _arena.Get<float>(up);
        Int8 = _arena.Get<sbyte>(int8);
        Scales = _arena.Get<ActivationScale>(scales);
        ChunkStates = _arena.Get<float>(shared);
        Cosines = _arena.Get<float>(cosines);
        Sines = _arena.Get<float>(sines);
        WindowCosines = _arena.Get<float>(windowCosines);
        WindowSines = _arena.Get<float>(windowSines);
        Experts = config.Experts is null ? null : new ExpertBatch(config, maxTokens);
        Latent = config.Latent is null ? null : new LatentRoom(config.Latent, config.HeadCount, maxTokens);
        Scan = config.Ssm is null ? null : new ScanRoom(config.Ssm, maxTokens);
        Adapters = new StepAdapters(maxTokens, config.Experts?.UsedCount ?? 0, config.Latent is null ? 0 : config.HeadCount);
        _workerScratch = _arena.Get<float>(scratch);
    }

    public ModelConfig Config { get; }

    public int MaxTokens { get; }

    public KvCache Cache { get; }

    /// <summary>State of recurrent layers.</summary>
    public RecurrentCache States { get; }

    public WorkerPool Workers { get; }

    public KernelSet Kernels { get; }

    /// <summary>Sees the inputs of products; normally there is none.</summary>
    public IInputObserver? Observer { get; init; }

    /// <summary>Ends waits of the running step.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>The running step.</summary>
    public StepBatch Batch { get; private set; } = new();

    /// <summary>Tokens of the running step.</summary>
    public int Tokens => Batch.TokenCount;

    /// <summary>The step computes the encoder of an encoder-decoder model.</summary>
    public bool Encodes => Batch.Encodes;

    /// <summary>Residual stream [tokens, hidden].</summary>
    public PinnedArray HiddenArray { get; }

    /// <summary>Residual stream [tokens, hidden].</summary>
    public float* Hidden => HiddenArray.Pointer;

    /// <summary>Output of a norm [tokens, hidden].</summary>
    public float* Normed { get; }

    /// <summary>[tokens, heads · key size].</summary>
    public float* Query { get; }

    /// <summary>[tokens, KV heads · key size].</summary>
    public float* Key { get; }

    /// <summary>[tokens, KV heads · value size].</summary>
    public float* Value { get; }

    /// <summary>Output of attention [tokens, heads · value size].</summary>
    public float* Attended { get; }

    /// <summary>[tokens, feed-forward].</summary>
    public float* Gate { get; }

    /// <summary>[tokens, feed-forward].</summary>
    public float* Up { get; }

    /// <summary>The input of the next product, quantized.</summary>
    public sbyte* Int8 { get; }

    /// <summary>Scales and sums of <see cref="Int8"/>.</summary>
    public ActivationScale* Scales { get; }

    /// <summary>cos of the rotary angles [tokens, pairs].</summary>
    public float* Cosines { get; }

    /// <summary>sin of the rotary angles [tokens, pairs].</summary>
    public float* Sines { get; }

    /// <summary>cos of the rotary angles of layers with a window [tokens, pairs].</summary>
    public float* WindowCosines { get; }

    /// <summary>sin of the rotary angles of layers with a window [tokens, pairs].</summary>
    public float* WindowSines { get; }

    /// <summary>Visits of experts; null for models without experts.</summary>
    public ExpertBatch? Experts { get; }

    /// <summary>Rows inside latent attention; null for models without it.</summary>
    public LatentRoom? Latent { get; }

    /// <summary>Rows inside Mamba-2 layers; null for models without them.</summary>
    public ScanRoom? Scan { get; }

    /// <summary>What adapters add to the products of the step.</summary>
    public StepAdapters Adapters { get; }

    /// <summary>Position of each token in its sequence.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Tokens);

    /// <summary>Index of each token's sequence in <see cref="StepBatch.Items"/>.</summary>
    public ReadOnlySpan<int> Items => _items.AsSpan(0, Tokens);

    /// <summary>All tokens in groups that attend together.</summary>
    public ReadOnlySpan<QueryGroup> Groups => _groups.AsSpan(0, GroupCount);

    /// <summary>Length of <see cref="Groups"/>.</summary>
    public int GroupCount { get; private set; }

    /// <summary>Most groups of a KV head (parts of attention) whose chunks threads may share.</summary>
    public int SharedGroups { get; }

    /// <summary>Chunks that <see cref="ChunkStates"/> has room for, for each part.</summary>
    public long ChunkCapacity { get; }

    /// <summary>Attention states of chunks that threads share [part, chunk, query, state]; pages cost nothing until they are used.</summary>
    public float* ChunkStates { get; }

    /// <summary>Chunks of each part that are not done yet.</summary>
    public Span<int> GroupsLeft => _groupsLeft;

    /// <summary>KV block of a token and its position there.</summary>
    public (int Block, int Row) PlaceOf(int token)
    {
        var position = _positions[token];
        return (BlocksOf(_items[token])[position / Cache.BlockSize], position % Cache.BlockSize);
    }

    /// <summary>Blocks with the positions of an item's own sequence; see <see cref="EncoderBlocksOf"/>.</summary>
    public ReadOnlySpan<int> BlocksOf(int item)
    {
        ref readonly var of = ref Batch.Items[item];
        return Batch.BlocksOf(in of)[of.LeadingBlocks(Cache.BlockSize)..];
    }

    /// <summary>Blocks with the encoder's input of an item.</summary>
    public ReadOnlySpan<int> EncoderBlocksOf(int item)
    {
        ref readonly var of = ref Batch.Items[item];
        return Batch.BlocksOf(in of)[..of.LeadingBlocks(Cache.BlockSize)];
    }

    /// <summary>Scratch memory of one worker.</summary>
    public float* Scratch(int worker) => _workerScratch + (worker * _workerFloats);

    /// <summary>Takes a checked batch.</summary>
    public void Begin(StepBatch batch)
    {
        Batch = batch;
        var groups = 0;
        for (var i = 0; i < batch.Items.Length; i++)
        {
            var item = batch.Items[i];
            for (var t = 0; t < item.Count; t++)
            {
                _positions[item.FirstToken + t] = item.StartPosition + t;
                _items[item.FirstToken + t] = i;
            }

            for (var t = 0; t < item.Count; t += GroupQueries)
                _groups[groups++] = new QueryGroup(i, item.FirstToken + t, Math.Min(GroupQueries, item.Count - t));
        }

        GroupCount = groups;
        Adapters.Begin(batch);
    }

    /// <summary>Runs a part per token, on this thread if there are few.</summary>
    public void ForEachToken<T>(int tokens, ref T work)
        where T : struct, IParallelWork
    {
        if (tokens > 4)
        {
            Workers.Run(tokens, ref work);
            return;
        }

        for (var token = 0; token < tokens; token++)
            work.Execute(token, 0);
    }

    public void Dispose()
    {
        Experts?.Dispose();
        Latent?.Dispose();
        Scan?.Dispose();
        Adapters.Dispose();
        _arena.Dispose();
    }
}
