using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels;

/// <summary>Some query heads that meet the same keys and values: all query heads of one KV head, of one or more positions.</summary>
internal unsafe struct AttentionQueries
{
    /// <summary>Number of query heads.</summary>
    public int Count;

    /// <summary>Each one's query [headSize].</summary>
    public float** Queries;

    /// <summary>First position of the chunk that each one sees; not positive if it sees the chunk from its start.</summary>
    public int* Begin;

    /// <summary>Position after the last that each one sees; at most the positions of the given tiles.</summary>
    public int* End;

    /// <summary>Each one's result, <see cref="AttentionState.Floats"/> floats.</summary>
    public float** States;

    /// <summary>Scratch memory, [count, <see cref="AttentionState.ChunkPositions"/>].</summary>
    public float* Scores;

    /// <summary>What is added to the scaled scores, of the same shape; null: nothing.</summary>
    public float* Biases;

    /// <summary>Elements of a query or key.</summary>
    public int HeadSize;

    /// <summary>Elements of a value, rounded up to a multiple of 8.</summary>
    public int Stride;

    /// <summary>Factor of the scores.</summary>
    public float Scale;

    /// <summary>Tiles whose keys are asked for meanwhile: those of the chunk that this thread is likely to attend to next.</summary>
    public byte** Ahead;

    /// <summary>Number of <see cref="Ahead"/>.</summary>
    public int AheadCount;

    /// <summary>Scaled scores x become cap · tanh(x / cap); 0 leaves them.</summary>
    public float Cap;
}

/// <summary>What attention over some positions leaves: [0] the largest score, [1] the sum of exponentials, [8…] the weighted values.</summary>
internal static unsafe class AttentionState
{
    /// <summary>Positions of a tile of the cache.</summary>
    public const int TilePositions = 32;

    /// <summary>Tiles of a chunk.</summary>
    public const int ChunkTiles = 8;

    /// <summary>
    /// Positions that are attended to together. Chunks begin at multiples of this, each is reduced on its own, and the
    /// results are merged in order: so any number of threads may share a sequence, and the bits stay the same.
    /// </summary>
    public const int ChunkPositions = TilePositions * ChunkTiles;

    /// <summary>With at most so many queries a tile takes less time than it takes to come from memory.</summary>
    public const int FewQueries = 8;

    /// <summary>Length of a state.</summary>
    public static int Floats(int stride) => stride + 8;

    /// <summary>Adds the state of a later chunk to that of the chunks before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Merge<TMath>(float* total, float* chunk, int stride)
        where TMath : struct, IFloatMath
    {
        var top = MathF.Max(total[0], chunk[0]);
        var before = Lanes.Exp<TMath>(Vector256.Create(total[0] - top));
        var after = Lanes.Exp<TMath>(Vector256.Create(chunk[0] - top));
        total[0] = top;
        total[1] = (total[1] * before.ToScalar()) + (chunk[1] * after.ToScalar());
        for (var i = 8; i < stride + 8; i += Lanes.Count)
            TMath.MultiplyAdd(Vector256.Load(chunk + i), after, Vector256.Load(total + i) * before).Store(total + i);
    }
}

/// <summary>
/// Attention over one chunk of cached positions, and the merge of chunks: softmax over parts with running maximum
/// (Milakov and Gimelshein 2018), as in FlashAttention. The operations of a query do not depend on its company.
/// </summary>
/// <typeparam name="TMath">Multiplication and addition.</typeparam>
/// <typeparam name="TCell">What the cache holds.</typeparam>
/// <typeparam name="T">Its elements.</typeparam>
internal static unsafe class AttentionChunk<TMath, TCell, T>
    where TMath : struct, IFloatMath
    where TCell : struct, IKvCell<T>
    where T : unmanaged
{
    private const int Tile = AttentionState.TilePositions;
    private const int Chunk = AttentionState.ChunkPositions;

    /// <summary>Fills the state of every query that sees something of the chunk.</summary>
    /// <param name="queries">The queries.</param>
    /// <param name="tiles">
    /// Tiles of the cache: keys [headSize, 32], transposed so that scores need no sum across lanes; values [32, stride]; of integer
    /// cells then the scales of the keys [32] and of the values [32].
    /// </param>
    /// <param name="count">Number of tiles, 1 to 8.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in AttentionQueries queries, byte** tiles, int count)
    {
        var keys = (T**)tiles;
        Scores(in queries, keys, count);
        if (TCell.Scaled)
            Scale(in queries, keys, count, values: false);
        for (var q = 0; q < queries.Count; q++)
        {
            if (queries.End[q] <= queries.Begin[q])
                continue;
            var scores = queries.Scores + (q * Chunk);
            if (queries.Biases != null)
                AddBias(scores, queries.Biases + (q * Chunk), queries.Scale, queries.End[q]);
            var scale = queries.Biases != null ? 1 : queries.Scale;
            if (queries.Cap > 0)
            {
                SoftCap<TMath>.Run(scores, (queries.End[q] + Lanes.Count - 1) & -Lanes.Count, scale, queries.Cap);
                scale = 1;
            }

            Softmax(scores, Math.Max(0, queries.Begin[q]), queries.End[q], scale, queries.States[q], queries.Stride);
        }

        if (TCell.Scaled)
            Scale(in queries, keys, count, values: true);
        var few = queries.Count <= AttentionState.FewQueries;
        for (var tile = 0; tile < count; tile++)
        {
            var values = keys[tile] + ((nint)Tile * queries.HeadSize);
            var q = 0;
            if (few && tile < queries.AheadCount)
            {
                var ahead = (T*)queries.Ahead[tile];
                if (queries.Count == 1)
                    AddSome<AskAhead>(in queries, 0, tile, values, 0, Tile, ahead);
                else
                    AddPair<AskAhead>(in queries, 0, tile, values, ahead);
                q = Math.Min(2, queries.Count);
            }

            for (; q + 2 <= queries.Count; q += 2)
                AddPair<AskNothing>(in queries, q, tile, values, null);
            if (q < queries.Count)
                AddSome<AskNothing>(in queries, q, tile, values, 0, Tile, null);
        }
    }

    /// <summary>Scores times the scales of the keys, or weights times those of the values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale(in AttentionQueries queries, T** keys, int tiles, bool values)
    {
        for (var tile = 0; tile < tiles; tile++)
        {
            var scales = (float*)(keys[tile] + ((nint)Tile * (queries.HeadSize + queries.Stride))) + (values ? Tile : 0);
            for (var q = 0; q < queries.Count; q++)
            {
                if (!Sees(in queries, q, tile))
                    continue;
                var scores = queries.Scores + (q * Chunk) + (tile * Tile);
                for (var i = 0; i < Tile; i += Lanes.Count)
                    (Vector256.Load(scores + i) * Vector256.Load(scales + i)).Store(scores + i);
            }
        }
    }

    /// <summary>Scores of all tiles; what a query does not see is computed along where that costs nothing, and never read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores(in AttentionQueries queries, T** keys, int tiles)
    {
        var size = queries.HeadSize;
        var q = 0;
        // A tile's values are needed when all scores are done, and with few queries all of that takes less time than they take to come from memory.
        var few = queries.Count <= AttentionState.FewQueries;
        for (var tile = 0; tile < tiles; tile++)
        {
            var at = queries.Scores + (tile * Tile);
            for (q = 0; q + 2 <= queries.Count; q += 2)
            {
                if (!Sees(in queries, q, tile) && !Sees(in queries, q + 1, tile))
                    continue;
                if (few && q == 0)
                    TwoScores<AskAhead>(queries.Queries[0], queries.Queries[1], keys[tile], at, at + Chunk, size, keys[tile] + (Tile * size));
                else
                    TwoScores<AskNothing>(queries.Queries[q], queries.Queries[q + 1], keys[tile], at + (q * Chunk), at + ((q + 1) * Chunk), size, null);
            }
        }

        if (q == queries.Count)
            return;
        for (var tile = 0; tile < tiles; tile += 2)
        {
            var at = queries.Scores + (tile * Tile) + (q * Chunk);
            if (tile + 1 == tiles)
                OneScores(queries.Queries[q], keys[tile], at, size);
            else if (!Sees(in queries, q, tile) && !Sees(in queries, q, tile + 1))
                continue;
            else if (q == 0)
                PairScores<AskAhead>(queries.Queries[q], keys[tile], keys[tile + 1], at, size);
            else
                PairScores<AskNothing>(queries.Queries[q], keys[tile], keys[tile + 1], at, size);
        }
    }

    private static bool Sees(in AttentionQueries queries, int query, int tile) =>
        queries.Begin[query] < (tile + 1) * Tile && queries.End[query] > tile * Tile;

    /// <summary>The values of a tile for two queries: together where both see them, in order of position for each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddPair<TAhead>(in AttentionQueries queries, int q, int tile, T* values, T* ahead)
        where TAhead : struct, IAhead
    {
        var begin = Math.Max(0, Math.Max(queries.Begin[q], queries.Begin[q + 1]) - (tile * Tile));
        var end = Math.Min(Tile, Math.Min(queries.End[q], queries.End[q + 1]) - (tile * Tile));
        if (begin >= end)
        {
            AddSome<AskNothing>(in queries, q, tile, values, 0, Tile, null);
            AddSome<AskNothing>(in queries, q + 1, tile, values, 0, Tile, null);
            return;
        }

        AddSome<AskNothing>(in queries, q, tile, values, 0, begin, null);
        AddSome<AskNothing>(in queries, q + 1, tile, values, 0, begin, null);
        var weights = queries.Scores + (tile * Tile) + (q * Chunk) + begin;
        AddTwo<TAhead>(
            weights, weights + Chunk, values + (begin * (nint)queries.Stride), queries.States[q] + 8, queries.States[q + 1] + 8, queries.Stride, end - begin, ahead);
        AddSome<AskNothing>(in queries, q, tile, values, end, Tile, null);
        AddSome<AskNothing>(in queries, q + 1, tile, values, end, Tile, null);
    }

    /// <summary>Those values of positions <paramref name="begin"/> to <paramref name="end"/> of a tile that a query sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddSome<TAhead>(in AttentionQueries queries, int q, int tile, T* values, int begin, int end, T* ahead)
        where TAhead : struct, IAhead
    {
        begin = Math.Max(begin, queries.Begin[q] - (tile * Tile));
        end = Math.Min(end, queries.End[q] - (tile * Tile));
        if (begin < end)
            AddOne<TAhead>(queries.Scores + (tile * Tile) + (q * Chunk), values, queries.States[q] + 8, queries.Stride, begin, end, ahead);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoScores<TAhead>(float* first, float* second, T* keys, float* firstScores, float* secondScores, int headSize, T* ahead)
        where TAhead : struct, IAhead
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        for (var d = 0; d < headSize; d++, keys += Tile, ahead += Tile)
        {
            TAhead.Ask(ahead, Tile * sizeof(T));
            var p = Vector256.Create(first[d]);
            var q = Vector256.Create(second[d]);
            var k = TCell.Load(keys);
            a0 = TMath.MultiplyAdd(p, k, a0);
            b0 = TMath.MultiplyAdd(q, k, b0);
            k = TCell.Load(keys + 8);
            a1 = TMath.MultiplyAdd(p, k, a1);
            b1 = TMath.MultiplyAdd(q, k, b1);
            k = TCell.Load(keys + 16);
            a2 = TMath.MultiplyAdd(p, k, a2);
            b2 = TMath.MultiplyAdd(q, k, b2);
            k = TCell.Load(keys + 24);
            a3 = TMath.MultiplyAdd(p, k, a3);
            b3 = TMath.MultiplyAdd(q, k, b3);
        }

        a0.Store(firstScores);
        a1.Store(firstScores + 8);
        a2.Store(firstScores + 16);
        a3.Store(firstScores + 24);
        b0.Store(secondScores);
        b1.Store(secondScores + 8);
        b2.Store(secondScores + 16);
        b3.Store(secondScores + 24);
    }

    /// <summary>One query and two tiles: enough independent sums to keep the multipliers busy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PairScores<TAhead>(float* query, T* keys, T* next, float* scores, int headSize)
        where TAhead : struct, IAhead
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        var values = (nint)headSize * Tile;
        for (var d = 0; d < headSize; d++, keys += Tile, next += Tile)
        {
            TAhead.Ask(keys + values, Tile * sizeof(T));
            TAhead.Ask(next + values, Tile * sizeof(T));
            var q = Vector256.Create(query[d]);
            a0 = TMath.MultiplyAdd(q, TCell.Load(keys), a0);
            a1 = TMath.MultiplyAdd(q, TCell.Load(keys + 8), a1);
            a2 = TMath.MultiplyAdd(q, TCell.Load(keys + 16), a2);
            a3 = TMath.MultiplyAdd(q, TCell.Load(keys + 24), a3);
            b0 = TMath.MultiplyAdd(q, TCell.Load(next), b0);
            b1 = TMath.MultiplyAdd(q, TCell.Load(next + 8), b1);
            b2 = TMath.MultiplyAdd(q, TCell.Load(next + 16), b2);
            b3 = TMath.MultiplyAdd(q, TCell.Load(next + 24), b3);
        }

        a0.Store(scores);
        a1.Store(scores + 8);
        a2.Store(scores + 16);
        a3.Store(scores + 24);
        b0.Store(scores + 32);
        b1.Store(scores + 40);
        b2.Store(scores + 48);
        b3.Store(scores + 56);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneScores(float* query, T* keys, float* scores, int headSize)
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        for (var d = 0; d < headSize; d++, keys += Tile)
        {
            var q = Vector256.Create(query[d]);
            a0 = TMath.MultiplyAdd(q, TCell.Load(keys), a0);
            a1 = TMath.MultiplyAdd(q, TCell.Load(keys + 8), a1);
            a2 = TMath.MultiplyAdd(q, TCell.Load(keys + 16), a2);
            a3 = TMath.MultiplyAdd(q, TCell.Load(keys + 24), a3);
        }

        a0.Store(scores);
        a1.Store(scores + 8);
        a2.Store(scores + 16);
        a3.Store(scores + 24);
    }

    /// <summary>Scaled scores and their bias, a whole number of vectors: what is too much is never read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddBias(float* scores, float* bias, float scale, int end)
    {
        var factor = Vector256.Create(scale);
        for (var i = 0; i < end; i += Lanes.Count)
            TMath.MultiplyAdd(Vector256.Load(scores + i), factor, Vector256.Load(bias + i)).Store(scores + i);
    }

    /// <summary>Scores to weights e^(score · scale - largest), in place; maximum and sum to the state, zeros to its values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(float* scores, int begin, int end, float scale, float* state, int stride)
    {
        var factor = Vector256.Create(scale);
        var hidden = Vector256.Create(float.NegativeInfinity);
        var largest = hidden;
        var first = begin & -Lanes.Count;
        for (var i = first; i < end; i += Lanes.Count)
        {
            var score = Vector256.Load(scores + i) * factor;
            if (i < begin || i + Lanes.Count > end)
                score = Vector256.ConditionalSelect(Visible(begin - i, end - i), score, hidden);
            largest = Vector256.MaxNative(largest, score);
        }

        var top = Lanes.Max(largest);
        var tops = Vector256.Create(top);
        var sum = Vector256<float>.Zero;
        for (var i = first; i < end; i += Lanes.Count)
        {
            var weights = Lanes.Exp<TMath>((Vector256.Load(scores + i) * factor) - tops);
            if (i < begin || i + Lanes.Count > end)
                weights &= Visible(begin - i, end - i);
            weights.Store(scores + i);
            sum += weights;
        }

        state[0] = top;
        state[1] = Lanes.Sum(sum);
        for (var i = 8; i < stride + 8; i += Lanes.Count)
            Vector256<float>.Zero.Store(state + i);
    }

    /// <summary>Lanes from <paramref name="begin"/> to <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Visible(int begin, int end)
    {
        var lane = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
        return (Vector256.GreaterThanOrEqual(lane, Vector256.Create(begin)) & Vector256.LessThan(lane, Vector256.Create(end))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddTwo<TAhead>(float* first, float* second, T* values, float* firstSums, float* secondSums, nint stride, int count, T* ahead)
        where TAhead : struct, IAhead
    {
        nint column = 0;
        for (; column + 32 <= stride; column += 32)
        {
            var v = values + column;
            var s = firstSums + column;
            var t = secondSums + column;
            var a0 = Vector256.Load(s);
            var a1 = Vector256.Load(s + 8);
            var a2 = Vector256.Load(s + 16);
            var a3 = Vector256.Load(s + 24);
            var b0 = Vector256.Load(t);
            var b1 = Vector256.Load(t + 8);
            var b2 = Vector256.Load(t + 16);
            var b3 = Vector256.Load(t + 24);
            for (var p = 0; p < count; p++, v += stride, ahead += Tile)
            {
                TAhead.Ask(ahead, Tile * sizeof(T));
                var x = Vector256.Create(first[p]);
                var y = Vector256.Create(second[p]);
                var k = TCell.Load(v);
                a0 = TMath.MultiplyAdd(x, k, a0);
                b0 = TMath.MultiplyAdd(y, k, b0);
                k = TCell.Load(v + 8);
                a1 = TMath.MultiplyAdd(x, k, a1);
                b1 = TMath.MultiplyAdd(y, k, b1);
                k = TCell.Load(v + 16);
                a2 = TMath.MultiplyAdd(x, k, a2);
                b2 = TMath.MultiplyAdd(y, k, b2);
                k = TCell.Load(v + 24);
                a3 = TMath.MultiplyAdd(x, k, a3);
                b3 = TMath.MultiplyAdd(y, k, b3);
            }

            a0.Store(s);
            a1.Store(s + 8);
            a2.Store(s + 16);
            a3.Store(s + 24);
            b0.Store(t);
            b1.Store(t + 8);
            b2.Store(t + 16);
            b3.Store(t + 24);
        }

        for (; column + 16 <= stride; column += 16)
        {
            var v = values + column;
            var a0 = Vector256.Load(firstSums + column);
            var a1 = Vector256.Load(firstSums + column + 8);
            var b0 = Vector256.Load(secondSums + column);
            var b1 = Vector256.Load(secondSums + column + 8);
            for (var p = 0; p < count; p++, v += stride)
            {
                var x = Vector256.Create(first[p]);
                var y = Vector256.Create(second[p]);
                var k = TCell.Load(v);
                a0 = TMath.MultiplyAdd(x, k, a0);
                b0 = TMath.MultiplyAdd(y, k, b0);
                k = TCell.Load(v + 8);
                a1 = TMath.MultiplyAdd(x, k, a1);
                b1 = TMath.MultiplyAdd(y, k, b1);
            }

            a0.Store(firstSums + column);
            a1.Store(firstSums + column + 8);
            b0.Store(secondSums + column);
            b1.Store(secondSums + column + 8);
        }

        if (column < stride)
        {
            AddEight(first, values + column, firstSums + column, stride, 0, count);
            AddEight(second, values + column, secondSums + column, stride, 0, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddOne<TAhead>(float* weights, T* values, float* sums, nint stride, int begin, int end, T* ahead)
        where TAhead : struct, IAhead
    {
        nint column = 0;
        for (; column + 64 <= stride; column += 64)
        {
            var v = values + column + (begin * stride);
            var s = sums + column;
            var a0 = Vector256.Load(s);
            var a1 = Vector256.Load(s + 8);
            var a2 = Vector256.Load(s + 16);
            var a3 = Vector256.Load(s + 24);
            var a4 = Vector256.Load(s + 32);
            var a5 = Vector256.Load(s + 40);
            var a6 = Vector256.Load(s + 48);
            var a7 = Vector256.Load(s + 56);
            for (var p = begin; p < end; p++, v += stride, ahead += 2 * Tile)
            {
                TAhead.Ask(ahead, 2 * Tile * sizeof(T));
                var w = Vector256.Create(weights[p]);
                a0 = TMath.MultiplyAdd(w, TCell.Load(v), a0);
                a1 = TMath.MultiplyAdd(w, TCell.Load(v + 8), a1);
                a2 = TMath.MultiplyAdd(w, TCell.Load(v + 16), a2);
                a3 = TMath.MultiplyAdd(w, TCell.Load(v + 24), a3);
                a4 = TMath.MultiplyAdd(w, TCell.Load(v + 32), a4);
                a5 = TMath.MultiplyAdd(w, TCell.Load(v + 40), a5);
                a6 = TMath.MultiplyAdd(w, TCell.Load(v + 48), a6);
                a7 = TMath.MultiplyAdd(w, TCell.Load(v + 56), a7);
            }

            a0.Store(s);
            a1.Store(s + 8);
            a2.Store(s + 16);
            a3.Store(s + 24);
            a4.Store(s + 32);
            a5.Store(s + 40);
            a6.Store(s + 48);
            a7.Store(s + 56);
        }

        for (; column + 48 <= stride; column += 48)
        {
            var v = values + column + (begin * stride);
            var s = sums + column;
            var a0 = Vector256.Load(s);
            var a1 = Vector256.Load(s + 8);
            var a2 = Vector256.Load(s + 16);
            var a3 = Vector256.Load(s + 24);
            var a4 = Vector256.Load(s + 32);
            var a5 = Vector256.Load(s + 40);
            for (var p = begin; p < end; p++, v += stride)
            {
                var w = Vector256.Create(weights[p]);
                a0 = TMath.MultiplyAdd(w, TCell.Load(v), a0);
                a1 = TMath.MultiplyAdd(w, TCell.Load(v + 8), a1);
                a2 = TMath.MultiplyAdd(w, TCell.Load(v + 16), a2);
                a3 = TMath.MultiplyAdd(w, TCell.Load(v + 24), a3);
                a4 = TMath.MultiplyAdd(w, TCell.Load(v + 32), a4);
                a5 = TMath.MultiplyAdd(w, TCell.Load(v + 40), a5);
            }

            a0.Store(s);
            a1.Store(s + 8);
            a2.Store(s + 16);
            a3.Store(s + 24);
            a4.Store(s + 32);
            a5.Store(s + 40);
        }

        for (; column < stride; column += Lanes.Count)
            AddEight(weights, values + column, sums + column, stride, begin, end);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddEight(float* weights, T* values, float* sums, nint stride, int begin, int end)
    {
        var a = Vector256.Load(sums);
        values += begin * stride;
        for (var p = begin; p < end; p++, values += stride)
            a = TMath.MultiplyAdd(Vector256.Create(weights[p]), TCell.Load(values), a);
        a.Store(sums);
    }
}
