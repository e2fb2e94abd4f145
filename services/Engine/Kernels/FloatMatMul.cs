using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels;

/// <summary>How eight stored weights become floats.</summary>
internal unsafe interface IFloatWeight
{
    static abstract int Bytes { get; }

    static abstract Vector256<float> Load(byte* row, nint index);

    static abstract float LoadOne(byte* row, nint index);
}

internal readonly unsafe struct Float32Weight : IFloatWeight
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* row, nint index) => Vector256.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* row, nint index) => ((float*)row)[index];
}

internal readonly unsafe struct Float16Weight : IFloatWeight
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* row, nint index) => HalfFormats.F16((ushort*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* row, nint index) => HalfFormats.F16(((ushort*)row)[index]);
}

internal readonly unsafe struct BFloat16Weight : IFloatWeight
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(byte* row, nint index) => HalfFormats.BF16((ushort*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadOne(byte* row, nint index) => HalfFormats.BF16(((ushort*)row)[index]);
}

/// <summary>
/// Matrix product of F32, F16 or BF16 weights with F32 activations. Every element is reduced the same way, whatever the
/// number of tokens or the range of rows: eight lanes over k in order, the lanes, then the last k mod 8 elements in order.
/// </summary>
internal static unsafe class FloatMatMul<TMath, TWeight>
    where TMath : struct, IFloatMath
    where TWeight : struct, IFloatWeight
{
    /// <summary>Tokens whose activations stay in the cache while a range of rows passes.</summary>
    private const int TokenTile = 48;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in MatMulTask task, int begin, int end, float* scratch)
    {
        var columns = task.Columns;
        for (var first = 0; first < task.Tokens; first += TokenTile)
        {
            var last = Math.Min(task.Tokens, first + TokenTile);
            var row = begin;
            for (; row + 4 <= end; row += 4)
            {
                var weights = task.Weights + (row * task.RowBytes);
                if (typeof(TWeight) != typeof(Float32Weight) && last - first >= 3)
                {
                    // Exact, so the bits are those of the direct kernel.
                    for (var r = 0; r < 4; r++)
                        Convert(weights + (r * task.RowBytes), scratch + ((nint)r * columns), columns);
                    FourRows<Float32Weight>(in task, (byte*)scratch, (nint)columns * 4, row, first, last);
                }
                else
                {
                    FourRows<TWeight>(in task, weights, task.RowBytes, row, first, last);
                }
            }

            for (; row < end; row++)
                OneRow(in task, task.Weights + (row * task.RowBytes), row, first, last);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FourRows<TLoad>(in MatMulTask task, byte* weights, nint rowBytes, int row, int first, int last)
        where TLoad : struct, IFloatWeight
    {
        var token = first;
        for (; token + 3 <= last; token += 3)
            FourByThree<TLoad>(in task, weights, rowBytes, row, token);
        for (; token < last; token++)
            FourByOne<TLoad>(in task, weights, rowBytes, row, token);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByThree<TLoad>(in MatMulTask task, byte* w0, nint rowBytes, int row, int token)
        where TLoad : struct, IFloatWeight
    {
        nint columns = task.Columns;
        var w1 = w0 + rowBytes;
        var w2 = w1 + rowBytes;
        var w3 = w2 + rowBytes;
        var x0 = task.X + (token * columns);
        var x1 = x0 + columns;
        var x2 = x1 + columns;
        Vector256<float> a00 = default, a01 = default, a02 = default, a10 = default, a11 = default, a12 = default;
        Vector256<float> a20 = default, a21 = default, a22 = default, a30 = default, a31 = default, a32 = default;
        nint k = 0;
        for (; k + Lanes.Count <= columns; k += Lanes.Count)
        {
            var v0 = Vector256.Load(x0 + k);
            var v1 = Vector256.Load(x1 + k);
            var v2 = Vector256.Load(x2 + k);
            var w = TLoad.Load(w0, k);
            a00 = TMath.MultiplyAdd(w, v0, a00);
            a01 = TMath.MultiplyAdd(w, v1, a01);
            a02 = TMath.MultiplyAdd(w, v2, a02);
            w = TLoad.Load(w1, k);
            a10 = TMath.MultiplyAdd(w, v0, a10);
            a11 = TMath.MultiplyAdd(w, v1, a11);
            a12 = TMath.MultiplyAdd(w, v2, a12);
            w = TLoad.Load(w2, k);
            a20 = TMath.MultiplyAdd(w, v0, a20);
            a21 = TMath.MultiplyAdd(w, v1, a21);
            a22 = TMath.MultiplyAdd(w, v2, a22);
            w = TLoad.Load(w3, k);
            a30 = TMath.MultiplyAdd(w, v0, a30);
            a31 = TMath.MultiplyAdd(w, v1, a31);
            a32 = TMath.MultiplyAdd(w, v2, a32);
        }

        task.Put(token, row, Tail<TLoad>(a00, w0, x0, k, columns));
        task.Put(token, row + 1, Tail<TLoad>(a10, w1, x0, k, columns));
        task.Put(token, row + 2, Tail<TLoad>(a20, w2, x0, k, columns));
        task.Put(token, row + 3, Tail<TLoad>(a30, w3, x0, k, columns));
        task.Put(token + 1, row, Tail<TLoad>(a01, w0, x1, k, columns));
        task.Put(token + 1, row + 1, Tail<TLoad>(a11, w1, x1, k, columns));
        task.Put(token + 1, row + 2, Tail<TLoad>(a21, w2, x1, k, columns));
        task.Put(token + 1, row + 3, Tail<TLoad>(a31, w3, x1, k, columns));
        task.Put(token + 2, row, Tail<TLoad>(a02, w0, x2, k, columns));
        task.Put(token + 2, row + 1, Tail<TLoad>(a12, w1, x2, k, columns));
        task.Put(token + 2, row + 2, Tail<TLoad>(a22, w2, x2, k, columns));
        task.Put(token + 2, row + 3, Tail<TLoad>(a32, w3, x2, k, columns));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByOne<TLoad>(in MatMulTask task, byte* w0, nint rowBytes, int row, int token)
        where TLoad : struct, IFloatWeight
    {
        nint columns = task.Columns;
        var w1 = w0 + rowBytes;
        var w2 = w1 + rowBytes;
        var w3 = w2 + rowBytes;
        var x = task.X + (token * columns);
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        nint k = 0;
        for (; k + Lanes.Count <= columns; k += Lanes.Count)
        {
            var v = Vector256.Load(x + k);
            a0 = TMath.MultiplyAdd(TLoad.Load(w0, k), v, a0);
            a1 = TMath.MultiplyAdd(TLoad.Load(w1, k), v, a1);
            a2 = TMath.MultiplyAdd(TLoad.Load(w2, k), v, a2);
            a3 = TMath.MultiplyAdd(TLoad.Load(w3, k), v, a3);
        }

        task.Put(token, row, Tail<TLoad>(a0, w0, x, k, columns));
        task.Put(token, row + 1, Tail<TLoad>(a1, w1, x, k, columns));
        task.Put(token, row + 2, Tail<TLoad>(a2, w2, x, k, columns));
        task.Put(token, row + 3, Tail<TLoad>(a3, w3, x, k, columns));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow(in MatMulTask task, byte* weights, int row, int first, int last)
    {
        nint columns = task.Columns;
        for (var token = first; token < last; token++)
        {
            var x = task.X + (token * columns);
            var a = Vector256<float>.Zero;
            nint k = 0;
            for (; k + Lanes.Count <= columns; k += Lanes.Count)
                a = TMath.MultiplyAdd(TWeight.Load(weights, k), Vector256.Load(x + k), a);
            task.Put(token, row, Tail<TWeight>(a, weights, x, k, columns));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Tail<TLoad>(Vector256<float> lanes, byte* weights, float* x, nint k, nint columns)
        where TLoad : struct, IFloatWeight
    {
        var sum = Lanes.Sum(lanes);
        for (; k < columns; k++)
            sum += TLoad.LoadOne(weights, k) * x[k];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert(byte* weights, float* target, nint columns)
    {
        nint k = 0;
        for (; k + Lanes.Count <= columns; k += Lanes.Count)
            TWeight.Load(weights, k).Store(target + k);
        for (; k < columns; k++)
            target[k] = TWeight.LoadOne(weights, k);
    }
}
