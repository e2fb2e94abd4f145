using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>What a query sees.</summary>
internal enum Sight
{
    /// <summary>The positions up to its own, or a window of them.</summary>
    Causal,

    /// <summary>All of its text, which the step computes as a whole, or as many positions on each side as a window has.</summary>
    Text,

    /// <summary>All of the encoder's input.</summary>
    Encoder,
}

/// <summary>
/// Attention of a step over the cache. A unit is a group of queries with all heads of one KV head; a part is a unit, or
/// one chunk of its positions where there are too few units for the threads. Chunks are reduced and merged in the same
/// order either way.
/// </summary>
internal readonly unsafe struct AttendWork : IParallelWork
{
    private const int Chunk = AttentionState.ChunkPositions;
    private readonly StepContext _context;
    private readonly AttentionShape _shape;
    private readonly int _layer, _window, _units, _chunks, _stride;
    private readonly float _scale;
    private readonly Sight _sight;
    private readonly IPositionBias? _bias;

    /// <param name="layer">Index of the layer in the cache.</param>
    /// <param name="shape">Its heads.</param>
    /// <param name="scale">Factor of q·k.</param>
    /// <param name="window">Positions that a query sees, its own included; 0 for all.</param>
    /// <param name="context">The step.</param>
    /// <param name="sight">What a query sees.</param>
    /// <param name="bias">Added to the scores; null: nothing.</param>
    public AttendWork(int layer, AttentionShape shape, float scale, int window, StepContext context, Sight sight = Sight.Causal, IPositionBias? bias = null)
    {
        _sight = sight;
        _bias = bias;
        _layer = layer;
        _shape = shape;
        _scale = scale;
        _window = window;
        _context = context;
        _stride = context.Cache.Stride(layer);
        _units = context.GroupCount * shape.KeyValueHeads;
        _chunks = 1;
        if (_units > context.SharedGroups)
            return;
        foreach (var group in context.Groups)
            _chunks = Math.Max(_chunks, Chunks(group));
        if (_chunks > context.ChunkCapacity)
            _chunks = 1;
        for (var unit = 0; unit < _units && _chunks > 1; unit++)
            context.GroupsLeft[unit] = Chunks(context.Groups[unit / shape.KeyValueHeads]);
    }

    /// <summary>Number of parts.</summary>
    public int Parts => _units * _chunks;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute(int part, int worker)
    {
        var unit = part / _chunks;
        var chunk = part % _chunks;
        var group = _context.Groups[unit / _shape.KeyValueHeads];
        if (_chunks == 1)
            Alone(group, unit, worker);
        else if (chunk < Chunks(group))
            Share(group, unit, chunk, worker);
    }

    private int Chunks(QueryGroup group) => (Last(group, (group.Count - 1) * Heads) / Chunk) + 1;

    /// <summary>All chunks of a unit, one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Alone(QueryGroup group, int unit, int worker)
    {
        var count = group.Count * Heads;
        nint floats = AttentionState.Floats(_stride);
        var scores = _context.Scratch(worker);
        var totals = scores + ((_bias is null ? 1 : 2) * count * (nint)Chunk);
        var states = totals + (count * floats);
        var chunks = Chunks(group);
        var first = First(group, 0);
        for (var chunk = first; chunk < chunks; chunk++)
        {
            Attend(group, unit, chunk, scores, chunk == first ? totals : states);
            for (var q = 0; q < count && chunk > first; q++)
            {
                if (Last(group, q) >= chunk * Chunk)
                    Add(group, q, chunk, totals + (q * floats), states + (q * floats));
            }
        }

        Write(group, unit, totals);
    }

    /// <summary>One chunk of a unit; whoever is done last merges them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Share(QueryGroup group, int unit, int chunk, int worker)
    {
        var count = group.Count * Heads;
        nint floats = AttentionState.Floats(_stride);
        var chunkFloats = StepContext.GroupQueries * Heads * floats;
        var states = _context.ChunkStates + (unit * (nint)_context.ChunkCapacity * chunkFloats);
        var first = First(group, 0);
        if (chunk >= first)
            Attend(group, unit, chunk, _context.Scratch(worker), states + (chunk * chunkFloats));
        if (Interlocked.Decrement(ref _context.GroupsLeft[unit]) > 0)
            return;
        var chunks = Chunks(group);
        for (var next = first + 1; next < chunks; next++)
        {
            for (var q = 0; q < count; q++)
            {
                if (Last(group, q) >= next * Chunk)
                    Add(group, q, next, states + (first * chunkFloats) + (q * floats), states + (next * chunkFloats) + (q * floats));
            }
        }

        Write(group, unit, states + (first * chunkFloats));
    }

    /// <summary>Merges a chunk's state into the total of the chunks before it, or begins the total where the query's window does.</summary>
    private void Add(QueryGroup group, int query, int chunk, float* total, float* state)
    {
        var first = First(group, query);
        if (chunk > first)
            _context.Kernels.MergeAttention(total, state, _stride);
        else if (chunk == first)
            NativeMemory.Copy(state, total, (nuint)AttentionState.Floats(_stride) * sizeof(float));
    }

    /// <summary>First position that a query head sees.</summary>
    private int Begin(QueryGroup group, int query) =>
        _window == 0 ? 0 : Math.Max(0, Position(group, query) - _window + (_sight == Sight.Causal ? 1 : 0));

    /// <summary>First chunk that a query head sees something of.</summary>
    private int First(QueryGroup group, int query) => Begin(group, query) / Chunk;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(QueryGroup group, int unit, int chunk, float* scores, float* states)
    {
        var cache = _context.Cache;
        var size = _shape.KeySize;
        var count = group.Count * Heads;
        var kvHead = unit % _shape.KeyValueHeads;
        nint rowFloats = _shape.Heads * size;
        var query = _context.Query + (group.FirstToken * rowFloats) + ((nint)kvHead * Heads * size);
        var start = chunk * Chunk;
        var rows = stackalloc float*[count];
        var results = stackalloc float*[count];
        var begin = stackalloc int[count];
        var end = stackalloc int[count];
        for (var q = 0; q < count; q++)
        {
            rows[q] = query + (q / Heads * rowFloats) + (q % Heads * size);
            results[q] = states + (q * (nint)AttentionState.Floats(_stride));
            begin[q] = Begin(group, q) - start;
            end[q] = Math.Min(Chunk, Last(group, q) - start + 1);
        }

        var heads = stackalloc byte*[AttentionState.ChunkTiles];
        var tiles = Tiles(group, kvHead, chunk, heads);
        var ahead = stackalloc byte*[AttentionState.ChunkTiles];
        var aheadTiles = count <= AttentionState.FewQueries ? Next(group, unit, chunk, ahead) : 0;
        var queries = new AttentionQueries
        {
            Count = count,
            Queries = rows,
            Begin = begin,
            End = end,
            States = results,
            Scores = scores,
            Biases = Biases(group, kvHead, start, tiles, scores + (count * (nint)Chunk)),
            HeadSize = size,
            Stride = _stride,
            Scale = _scale,
            Cap = _context.Config.AttentionCap,
            Ahead = ahead,
            AheadCount = aheadTiles,
        };
        _context.Kernels.AttentionChunk(cache.Type)(in queries, heads, tiles);
    }

    /// <summary>
    /// Tiles that this thread is likely to attend to next: the unit's next chunk, or the beginning of a later unit of the group; of parts that are shared out, the others
    /// take those between.
    /// </summary>
    private int Next(QueryGroup group, int unit, int chunk, byte** heads)
    {
        var threads = _context.Workers.Threads;
        if (_chunks == 1 && Tiles(group, unit % _shape.KeyValueHeads, chunk + 1, heads) is var tiles and > 0)
            return tiles;
        var part = (unit * _chunks) + (_chunks == 1 ? 0 : chunk) + threads;
        var (nextUnit, nextChunk) = (part / _chunks, _chunks == 1 ? First(group, 0) : part % _chunks);
        return nextUnit / _shape.KeyValueHeads == unit / _shape.KeyValueHeads ? Tiles(group, nextUnit % _shape.KeyValueHeads, nextChunk, heads) : 0;
    }

    /// <summary>Addresses of a chunk's tiles; none beyond what the group sees.</summary>
    private int Tiles(QueryGroup group, int kvHead, int chunk, byte** heads)
    {
        var start = chunk * Chunk;
        var last = Last(group, (group.Count * Heads) - 1);
        if (start > last)
            return 0;
        var table = _sight == Sight.Encoder ? _context.EncoderBlocksOf(group.Item) : _context.BlocksOf(group.Item);
        var tiles = (Math.Min(Chunk, last - start + 1) + AttentionState.TilePositions - 1) / AttentionState.TilePositions;
        for (var tile = 0; tile < tiles; tile++)
        {
            var position = start + (tile * AttentionState.TilePositions);
            heads[tile] = _context.Cache.Head(_layer, table[position / _context.Cache.BlockSize], position % _context.Cache.BlockSize, kvHead);
        }

        return tiles;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Write(QueryGroup group, int unit, float* states)
    {
        var size = _shape.ValueSize;
        nint rowFloats = _shape.Heads * size;
        var output = _context.Attended + (group.FirstToken * rowFloats) + ((nint)(unit % _shape.KeyValueHeads) * Heads * size);
        for (var q = 0; q < group.Count * Heads; q++)
        {
            var state = states + (q * (nint)AttentionState.Floats(_stride));
            var target = output + (q / Heads * rowFloats) + (q % Heads * size);
            var inverse = 1f / state[1];
            for (var d = 0; d < size; d++)
                target[d] = state[8 + d] * inverse;
        }
    }

    /// <summary>Writes the biases of a chunk's positions for each query head [count, chunk]; null without any.</summary>
    private float* Biases(QueryGroup group, int kvHead, int start, int tiles, float* rows)
    {
        if (_bias is null)
            return null;
        for (var q = 0; q < group.Count * Heads; q++)
        {
            var row = new Span<float>(rows + (q * (nint)Chunk), tiles * AttentionState.TilePositions);
            _bias.Fill((kvHead * Heads) + (q % Heads), start - Position(group, q), row);
        }

        return rows;
    }

    private int Heads => _shape.Group;

    /// <summary>Last position that a query head sees.</summary>
    private int Last(QueryGroup group, int query)
    {
        if (_sight == Sight.Causal)
            return Position(group, query);
        ref readonly var item = ref _context.Batch.Items[group.Item];
        var last = (_sight == Sight.Text ? item.StartPosition + item.Count : item.EncoderTokens) - 1;
        return _window == 0 ? last : Math.Min(last, Position(group, query) + _window);
    }

    /// <summary>Position of a query head: heads of one token follow one another.</summary>
    private int Position(QueryGroup group, int query) => _context.Positions[group.FirstToken] + (query / Heads);
}
