using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Slm.Training.Kernels;

/// <summary>
/// Causal grouped-query attention with rotary positions over packed documents: each segment of the flat token
/// sequence is attended alone and its positions start at 0, so no document sees another.
/// One instance per thread (it owns scratch memory).
/// </summary>
/// <typeparam name="T">How the rows of queries, keys and values lie in memory.</typeparam>
internal sealed unsafe class AttentionKernel<T> : IDisposable
    where T : struct, IStorage
{
    private readonly int _heads;
    private readonly int _groups;
    private readonly int _width;
    private readonly int _row;
    private readonly float* _memory;
    private readonly float* _cos, _sin, _q, _k, _kt, _v, _vt, _do, _dk, _dv, _p, _ds;

    /// <summary>Takes scratch memory for segments of up to <paramref name="maxLength"/> tokens.</summary>
    /// <param name="heads">Query heads.</param>
    /// <param name="groups">Key/value heads, a divisor of <paramref name="heads"/>.</param>
    /// <param name="width">Head size, a multiple of 32.</param>
    /// <param name="maxLength">Longest segment.</param>
    /// <param name="ropeBase">Base of the rotary frequencies: pair i turns by position·base^(−2i/width).</param>
    public AttentionKernel(int heads, int groups, int width, int maxLength, float ropeBase)
    {
        (_heads, _groups, _width) = (heads, groups, width);
        _row = (heads + 2 * groups) * width;
        var capacity = (maxLength + 31) / 32 * 32;
        var panel = (nint)capacity * width;
        var square = (nint)capacity * capacity;
        _memory = (float*)NativeMemory.AlignedAlloc((nuint)(10 * panel + 2 * square) * sizeof(float), 64);
        _cos = _memory;
        _sin = _memory + panel;
        _q = _memory + 2 * panel;
        _k = _memory + 3 * panel;
        _kt = _memory + 4 * panel;
        _v = _memory + 5 * panel;
        _vt = _memory + 6 * panel;
        _do = _memory + 7 * panel;
        _dk = _memory + 8 * panel;
        _dv = _memory + 9 * panel;
        _p = _memory + 10 * panel;
        _ds = _p + square;
        for (var position = 0; position < capacity; position++)
            for (var i = 0; i < width; i += 2)
            {
                var (sin, cos) = Math.SinCos(position * Math.Pow(ropeBase, -(double)i / width));
                _cos[position * width + i] = _cos[position * width + i + 1] = (float)cos;
                _sin[position * width + i] = -(float)sin;
                _sin[position * width + i + 1] = (float)sin;
            }
    }

    /// <summary>Attends within one segment.</summary>
    /// <param name="qkv">[tokens, (heads + 2·groups)·width] before rotation.</param>
    /// <param name="output">[tokens, heads·width] receives the attended values.</param>
    /// <param name="logSum">[tokens, heads] receives log Σ exp of the scores, for the backward pass.</param>
    /// <param name="start">First token of the segment.</param>
    /// <param name="length">Tokens of the segment.</param>
    public void Forward(void* qkv, void* output, float* logSum, int start, int length)
    {
        var padded = (length + 31) / 32 * 32;
        var scale = 1 / MathF.Sqrt(_width);
        for (var group = 0; group < _groups; group++)
        {
            LoadRotated(qkv, start, (_heads + group) * _width, length, padded, 1, _k);
            Transpose(_k, _kt, padded);
            Load(qkv, _row, start, (_heads + _groups + group) * _width, length, padded, _v);
            for (var head = group * (_heads / _groups); head < (group + 1) * (_heads / _groups); head++)
            {
                LoadRotated(qkv, start, head * _width, length, padded, scale, _q);
                for (var i = 0; i < length; i += 4)
                {
                    TileKernel.Multiply(_q + i * _width, _width, 1, _kt, padded, _p, padded, (i + 35) / 32 * 32, _width);
                    for (var r = 0; r < 4; r++)
                    {
                        var sum = Softmax(_p + r * padded, i + r, i + 4);
                        if (i + r < length)
                            logSum[(nint)(start + i + r) * _heads + head] = sum;
                    }

                    TileKernel.Multiply(_p, padded, 1, _v, _width, _do, _width, _width, i + 4);
                    for (var r = 0; r < 4 && i + r < length; r++)
                        for (var c = 0; c < _width; c += 16)
                            T.Store(output, ((nint)(start + i + r) * _heads + head) * _width + c, Vector512.Load(_do + r * _width + c));
                }
            }
        }
    }

    /// <summary>Gradient of <see cref="Forward"/> for one segment, written to <paramref name="dqkv"/>.</summary>
    public void Backward(void* qkv, void* output, float* logSum, void* dOutput, void* dqkv, int start, int length)
    {
        var padded = (length + 31) / 32 * 32;
        var rows = (length + 3) / 4 * 4;
        var scale = 1 / MathF.Sqrt(_width);
        var dq = stackalloc float[4 * _width];
        for (var group = 0; group < _groups; group++)
        {
            LoadRotated(qkv, start, (_heads + group) * _width, length, padded, 1, _k);
            Transpose(_k, _kt, padded);
            Load(qkv, _row, start, (_heads + _groups + group) * _width, length, padded, _v);
            Transpose(_v, _vt, padded);
            new Span<float>(_dk, rows * _width).Clear();
            new Span<float>(_dv, rows * _width).Clear();
            for (var head = group * (_heads / _groups); head < (group + 1) * (_heads / _groups); head++)
            {
                LoadRotated(qkv, start, head * _width, length, padded, scale, _q);
                Load(dOutput, _heads * _width, start, head * _width, length, padded, _do);
                for (var i = 0; i < length; i += 4)
                {
                    float* p = _p + (nint)i * padded, ds = _ds + (nint)i * padded;
                    var columns = (i + 35) / 32 * 32;
                    TileKernel.Multiply(_q + i * _width, _width, 1, _kt, padded, p, padded, columns, _width);
                    TileKernel.Multiply(_do + i * _width, _width, 1, _vt, padded, ds, padded, columns, _width);
                    for (var r = 0; r < 4; r++)
                        ScoreGradient(p + r * padded, ds + r * padded, output, logSum, start, i + r, length, head, i + 4);
                    TileKernel.Multiply(ds, padded, 1, _k, _width, dq, _width, _width, i + 4);
                    for (var r = 0; r < 4 && i + r < length; r++)
                        StoreUnrotated(dq + r * _width, dqkv, start + i + r, head * _width, i + r, scale);
                }

                for (var j = 0; j < length; j += 4)
                {
                    var at = (nint)j * padded + j;
                    TileKernel.Multiply(_p + at, 1, padded, _do + j * _width, _width, _dv + j * _width, _width, _width, rows - j, accumulate: true);
                    TileKernel.Multiply(_ds + at, 1, padded, _q + j * _width, _width, _dk + j * _width, _width, _width, rows - j, accumulate: true);
                }
            }

            for (var j = 0; j < length; j++)
            {
                StoreUnrotated(_dk + j * _width, dqkv, start + j, (_heads + group) * _width, j, 1);
                for (var c = 0; c < _width; c += 16)
                    T.Store(dqkv, (nint)(start + j) * _row + (_heads + _groups + group) * _width + c, Vector512.Load(_dv + j * _width + c));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);

    /// <summary>Turns scores 0…last into probabilities and the rest up to <paramref name="end"/> into zeros; gives log Σ exp.</summary>
    private static float Softmax(float* row, int last, int end)
    {
        var max = float.NegativeInfinity;
        var peak = Vector512.Create(float.NegativeInfinity);
        var j = 0;
        for (; j + 15 <= last; j += 16)
            peak = Vector512.Max(peak, Vector512.Load(row + j));
        for (; j <= last; j++)
            max = MathF.Max(max, row[j]);
        if (last >= 15)
        {
            var half = Vector256.Max(peak.GetLower(), peak.GetUpper());
            for (var lane = 0; lane < 8; lane++)
                max = MathF.Max(max, half[lane]);
        }

        var sum = Vector512<float>.Zero;
        for (j = 0; j < end; j += 16)
        {
            var e = Exponential.Exp(Vector512.Load(row + j) - Vector512.Create(max));
            if (j + 15 > last)
                e = Vector512.ConditionalSelect(Vector512.LessThanOrEqual(Vector512.CreateSequence(j, 1), Vector512.Create(last)).AsSingle(), e, Vector512<float>.Zero);
            e.Store(row + j);
            sum += e;
        }

        var total = Vector512.Sum(sum);
        var inverse = Vector512.Create(1 / total);
        for (j = 0; j < end; j += 16)
            (Vector512.Load(row + j) * inverse).Store(row + j);
        return max + MathF.Log(total);
    }

    /// <summary>From scores and dP of one row: p = exp(s − logSum) and dS = p∘(dP − Σ dO∘O), zero beyond the diagonal.</summary>
    private void ScoreGradient(float* p, float* ds, void* output, float* logSum, int start, int i, int length, int head, int end)
    {
        if (i >= length)
        {
            new Span<float>(p, (end + 15) / 16 * 16).Clear();
            new Span<float>(ds, (end + 15) / 16 * 16).Clear();
            return;
        }

        var token = (nint)(start + i) * _heads + head;
        var product = Vector512<float>.Zero;
        for (var c = 0; c < _width; c += 16)
            product = Vector512.FusedMultiplyAdd(Vector512.Load(_do + i * _width + c), T.Load(output, token * _width + c), product);
        var delta = Vector512.Create(Vector512.Sum(product));
        var norm = Vector512.Create(logSum[token]);
        for (var j = 0; j < end; j += 16)
        {
            var e = Exponential.Exp(Vector512.Load(p + j) - norm);
            if (j + 15 > i)
                e = Vector512.ConditionalSelect(Vector512.LessThanOrEqual(Vector512.CreateSequence(j, 1), Vector512.Create(i)).AsSingle(), e, Vector512<float>.Zero);
            e.Store(p + j);
            (e * (Vector512.Load(ds + j) - delta)).Store(ds + j);
        }
    }

    private void LoadRotated(void* qkv, int start, int column, int length, int padded, float factor, float* target)
    {
        for (var i = 0; i < length; i++)
            for (var c = 0; c < _width; c += 16)
            {
                var x = T.Load(qkv, (nint)(start + i) * _row + column + c);
                var turned = Vector512.FusedMultiplyAdd(x, Vector512.Load(_cos + i * _width + c), Swap(x) * Vector512.Load(_sin + i * _width + c));
                (turned * factor).Store(target + i * _width + c);
            }

        new Span<float>(target + length * _width, (padded - length) * _width).Clear();
    }

    private void StoreUnrotated(float* d, void* dqkv, int token, int column, int position, float factor)
    {
        for (var c = 0; c < _width; c += 16)
        {
            var x = Vector512.Load(d + c);
            var turned = x * Vector512.Load(_cos + position * _width + c) - Swap(x) * Vector512.Load(_sin + position * _width + c);
            T.Store(dqkv, (nint)token * _row + column + c, turned * factor);
        }
    }

    private void Load(void* source, int row, int start, int column, int length, int padded, float* target)
    {
        for (var i = 0; i < length; i++)
            for (var c = 0; c < _width; c += 16)
                T.Load(source, (nint)(start + i) * row + column + c).Store(target + i * _width + c);
        new Span<float>(target + length * _width, (padded - length) * _width).Clear();
    }

    private void Transpose(float* from, float* to, int padded)
    {
        for (var c = 0; c < _width; c++)
            for (var i = 0; i < padded; i++)
                to[(nint)c * padded + i] = from[i * _width + c];
    }

    private static Vector512<float> Swap(Vector512<float> x)
        => Vector512.Shuffle(x, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
}
