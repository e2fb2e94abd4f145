using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Kernels;

public sealed unsafe class AttentionTests
{
    private const int Chunk = AttentionState.ChunkPositions;

    private static readonly (int HeadSize, int Positions, int Queries)[] Shapes =
        [(8, 1, 1), (20, 31, 2), (32, 33, 3), (64, 100, 5), (48, 300, 4), (96, 64, 1), (128, 529, 3), (6, 40, 2), (80, 257, 7), (24, 600, 1)];

    public static TheoryData<string, KvType> Sets
    {
        get
        {
            var sets = new TheoryData<string, KvType>();
            foreach (var set in StepRunner.KernelSets)
            {
                foreach (var type in Enum.GetValues<KvType>())
                    sets.Add(set, type);
            }

            return sets;
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Attention_over_the_chunks_of_a_cache_is_that_of_the_scalar_twin(string kernels, KvType type)
    {
        foreach (var (headSize, positions, queries) in Shapes)
        {
            foreach (var (window, cap) in new[] { (int.MaxValue, 0f), (50, 0f), (int.MaxValue, 2f) })
            {
                using var run = new Attention(kernels, type, headSize, positions, queries) { Cap = cap };
                var all = Enumerable.Range(0, queries).ToArray();
                run.Execute(all, window);
                foreach (var q in all)
                {
                    var (from, to) = run.Range(q, window);
                    var expected = ScalarTwins.Attention(
                        run.Query(q), (p, d) => run.Keys[((from + p) * headSize) + d], (p, d) => run.Values[((from + p) * headSize) + d], to - from, 1 / Math.Sqrt(headSize), cap);

                    // Rounding of the scores, by their size, moves the weights; values are at most 2.
                    var tolerance = 2e-6 + (2e-7 * run.LargestScore(q));
                    for (var d = 0; d < headSize; d++)
                        Assert.Equal(expected[d], run.Result(q)[d], tolerance);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void A_query_gets_the_same_bits_alone_and_in_company(string kernels, KvType type)
    {
        foreach (var (headSize, positions, queries) in Shapes)
        {
            foreach (var window in new[] { int.MaxValue, 50 })
            {
                using var run = new Attention(kernels, type, headSize, positions, queries);
                run.Execute([.. Enumerable.Range(0, queries)], window);
                var together = Enumerable.Range(0, queries).Select(q => run.Result(q).ToArray()).ToArray();
                for (var q = 0; q < queries; q++)
                {
                    run.Execute([q], window);
                    Assert.Equal(together[q].Select(BitConverter.SingleToInt32Bits), run.Result(q).ToArray().Select(BitConverter.SingleToInt32Bits));
                }
            }
        }
    }

    /// <summary>Queries at the last positions of a cache; the cache is larger, and what lies behind is not a number.</summary>
    private sealed class Attention : IDisposable
    {
        private static readonly int[] Table = [2, 0, 3, 5, 1, 6, 7, 8, 9, 10];
        private readonly KernelSet _kernels;
        private readonly KvCache _cache;
        private readonly int _headSize, _positions, _count;
        private readonly float[] _queries;
        private readonly NativeBuffer _states, _scores, _rows;

        public Attention(string kernels, KvType type, int headSize, int positions, int queries)
        {
            _kernels = StepRunner.Kernels(kernels);
            (_headSize, _positions, _count) = (headSize, positions, queries);
            _cache = new KvCache([null, new AttentionShape(6, 2, headSize, headSize)], 11, 64, type);
            Keys = Random(positions * headSize, 2, positions);
            Values = Random(positions * headSize, 2, positions + 1);
            var (originalKeys, originalValues) = (Keys, Values);
            Keys = Rounded(Keys, headSize, type);
            Values = Rounded(Values, headSize, type);
            _queries = Random(queries * headSize, 6, 3);
            _states = new NativeBuffer((queries + 1L) * AttentionState.Floats(_cache.Stride(1)) * 4);
            _scores = new NativeBuffer(queries * Chunk * 4L);
            _rows = new NativeBuffer(_queries.Length * 4L);
            _queries.CopyTo(new Span<float>(_rows.Pointer, _queries.Length));
            var nothing = stackalloc float[headSize];
            new Span<float>(nothing, headSize).Fill(float.NaN);
            fixed (float* keys = originalKeys, values = originalValues)
            {
                for (var p = 0; p < Table.Length * 64; p++)
                {
                    var there = p < positions;
                    _cache.Store(1, Table[p / 64], p % 64, 1, there ? keys + (p * headSize) : nothing, there ? values + (p * headSize) : nothing);
                }
            }
        }

        /// <summary>Cap of the scores, or 0.</summary>
        public float Cap { get; init; }

        /// <summary>As the cache keeps them.</summary>
        public float[] Keys { get; }

        public float[] Values { get; }

        public ReadOnlySpan<float> Query(int q) => _queries.AsSpan(q * _headSize, _headSize);

        /// <summary>What a query sees: the last one everything, the others a position less each, at most a window.</summary>
        public (int From, int To) Range(int q, int window)
        {
            var to = Math.Max(1, _positions - (_count - 1 - q));
            return (Math.Max(0, to - window), to);
        }

        /// <summary>The largest Σ |q·k| · scale of a query.</summary>
        public double LargestScore(int q)
        {
            var query = Query(q).ToArray();
            return Enumerable.Range(0, _positions).Max(p => Enumerable.Range(0, _headSize).Sum(d => Math.Abs((double)query[d] * Keys[(p * _headSize) + d]))) / Math.Sqrt(_headSize);
        }

        public ReadOnlySpan<float> Result(int q)
        {
            var state = State(q);
            var result = new float[_headSize];
            for (var d = 0; d < _headSize; d++)
                result[d] = state[8 + d] / state[1];
            return result;
        }

        public void Execute(int[] queries, int window)
        {
            foreach (var q in queries)
                State(q)[0] = float.NaN;
            var rows = stackalloc float*[queries.Length];
            var results = stackalloc float*[queries.Length];
            var begin = stackalloc int[queries.Length];
            var end = stackalloc int[queries.Length];
            var keys = stackalloc byte*[AttentionState.ChunkTiles];
            using var fresh = new NativeBuffer(queries.Length * (long)AttentionState.Floats(_cache.Stride(1)) * 4);
            for (var start = 0; start < _positions; start += Chunk)
            {
                var tiles = (Math.Min(Chunk, _positions - start) + 31) / 32;
                for (var tile = 0; tile < tiles; tile++)
                    keys[tile] = _cache.Head(1, Table[(start + (tile * 32)) / 64], (start + (tile * 32)) % 64, 1);
                for (var i = 0; i < queries.Length; i++)
                {
                    var (from, to) = Range(queries[i], window);
                    rows[i] = (float*)_rows.Pointer + (queries[i] * _headSize);
                    results[i] = (float*)fresh.Pointer + (i * AttentionState.Floats(_cache.Stride(1)));
                    begin[i] = from - start;
                    end[i] = Math.Min(Chunk, to - start);
                }

                var task = new AttentionQueries
                {
                    Count = queries.Length,
                    Queries = rows,
                    Begin = begin,
                    End = end,
                    States = results,
                    Scores = (float*)_scores.Pointer,
                    HeadSize = _headSize,
                    Stride = _cache.Stride(1),
                    Scale = 1 / MathF.Sqrt(_headSize),
                    Cap = Cap,
                };
                _kernels.AttentionChunk(_cache.Type)(in task, keys, tiles);
                for (var i = 0; i < queries.Length; i++)
                {
                    if (end[i] <= Math.Max(0, begin[i]))
                        continue;
                    var state = State(queries[i]);
                    if (float.IsNaN(state[0]))
                        Buffer.MemoryCopy(results[i], state, AttentionState.Floats(_cache.Stride(1)) * 4, AttentionState.Floats(_cache.Stride(1)) * 4);
                    else
                        _kernels.MergeAttention(state, results[i], _cache.Stride(1));
                }
            }

        }

        public void Dispose()
        {
            _cache.Dispose();
            _states.Dispose();
            _scores.Dispose();
            _rows.Dispose();
        }

        private float* State(int q) => (float*)_states.Pointer + (q * AttentionState.Floats(_cache.Stride(1)));

        /// <summary>Each row to multiples of its largest magnitude over the largest integer.</summary>
        private static float[] Rounded(float[] rows, int size, KvType type)
        {
            if (type == KvType.F32)
                return rows;
            var largest = type == KvType.Q16 ? 32767 : 127;
            return [.. rows.Chunk(size).SelectMany(row =>
            {
                var top = row.Max(MathF.Abs);
                return row.Select(x => MathF.Round(x * (largest / top)) * (top / largest));
            })];
        }

        private static float[] Random(int count, float range, int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, count).Select(_ => ((random.NextSingle() * 2) - 1) * range)];
        }
    }
}
