using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels;

/// <summary>
/// Matrix product of Q8_0 or Q4_0 weights with int8 activations. The products of a block are summed exactly in eight
/// integer lanes (four neighbours each); lanes · (weight scale · activation scale) are added up block by block, then the lanes.
/// </summary>
internal static unsafe class Int8MatMulAvx2<TWeight>
    where TWeight : struct, IInt8Weight
{
    private const int TokenTile = 64;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in MatMulTask task, int begin, int end, float* scratch)
    {
        for (var first = 0; first < task.Tokens; first += TokenTile)
        {
            var last = Math.Min(task.Tokens, first + TokenTile);
            var row = begin;
            for (; row + 4 <= end; row += 4)
            {
                var token = first;
                for (; token + 2 <= last; token += 2)
                    FourByTwo(in task, row, token);
                if (token < last)
                    FourByOne(in task, row, token);
            }

            for (; row < end; row++)
            {
                for (var token = first; token < last; token++)
                    OneByOne(in task, row, token);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo(in MatMulTask task, int row, int token)
    {
        var w0 = task.Weights + (row * task.RowBytes);
        var w1 = w0 + task.RowBytes;
        var w2 = w1 + task.RowBytes;
        var w3 = w2 + task.RowBytes;
        nint blocks = task.Columns / 32;
        var x0 = task.XInt8 + ((nint)token * task.Columns);
        var x1 = x0 + task.Columns;
        var s0 = task.XScales + (token * blocks);
        var s1 = s0 + blocks;
        Vector256<float> a00 = default, a01 = default, a10 = default, a11 = default;
        Vector256<float> a20 = default, a21 = default, a30 = default, a31 = default;
        for (nint b = 0; b < blocks; b++)
        {
            var v0 = Vector256.Load(x0 + (b * 32));
            var v1 = Vector256.Load(x1 + (b * 32));
            Two(w0, v0, v1, s0[b], s1[b], ref a00, ref a01);
            Two(w1, v0, v1, s0[b], s1[b], ref a10, ref a11);
            Two(w2, v0, v1, s0[b], s1[b], ref a20, ref a21);
            Two(w3, v0, v1, s0[b], s1[b], ref a30, ref a31);
            w0 += TWeight.BlockBytes;
            w1 += TWeight.BlockBytes;
            w2 += TWeight.BlockBytes;
            w3 += TWeight.BlockBytes;
        }

        task.Put(token, row, Lanes.Sum(a00));
        task.Put(token, row + 1, Lanes.Sum(a10));
        task.Put(token, row + 2, Lanes.Sum(a20));
        task.Put(token, row + 3, Lanes.Sum(a30));
        task.Put(token + 1, row, Lanes.Sum(a01));
        task.Put(token + 1, row + 1, Lanes.Sum(a11));
        task.Put(token + 1, row + 2, Lanes.Sum(a21));
        task.Put(token + 1, row + 3, Lanes.Sum(a31));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByOne(in MatMulTask task, int row, int token)
    {
        var w0 = task.Weights + (row * task.RowBytes);
        var w1 = w0 + task.RowBytes;
        var w2 = w1 + task.RowBytes;
        var w3 = w2 + task.RowBytes;
        nint blocks = task.Columns / 32;
        var x = task.XInt8 + ((nint)token * task.Columns);
        var s = task.XScales + (token * blocks);
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default;
        for (nint b = 0; b < blocks; b++)
        {
            var v = Vector256.Load(x + (b * 32));
            a0 = One(w0, v, s[b], a0);
            a1 = One(w1, v, s[b], a1);
            a2 = One(w2, v, s[b], a2);
            a3 = One(w3, v, s[b], a3);
            w0 += TWeight.BlockBytes;
            w1 += TWeight.BlockBytes;
            w2 += TWeight.BlockBytes;
            w3 += TWeight.BlockBytes;
        }

        task.Put(token, row, Lanes.Sum(a0));
        task.Put(token, row + 1, Lanes.Sum(a1));
        task.Put(token, row + 2, Lanes.Sum(a2));
        task.Put(token, row + 3, Lanes.Sum(a3));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneByOne(in MatMulTask task, int row, int token)
    {
        var w = task.Weights + (row * task.RowBytes);
        nint blocks = task.Columns / 32;
        var x = task.XInt8 + ((nint)token * task.Columns);
        var s = task.XScales + (token * blocks);
        var a = Vector256<float>.Zero;
        for (nint b = 0; b < blocks; b++, w += TWeight.BlockBytes)
            a = One(w, Vector256.Load(x + (b * 32)), s[b], a);
        task.Put(token, row, Lanes.Sum(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Two(
        byte* block, Vector256<sbyte> x0, Vector256<sbyte> x1, float s0, float s1, ref Vector256<float> a0, ref Vector256<float> a1)
    {
        var w = TWeight.Load(block);
        var scale = Int8Blocks.Scale(block);
        var magnitude = Avx2.Abs(w);
        a0 = Fma.MultiplyAdd(Dot(magnitude, w, x0), Vector256.Create(scale * s0), a0);
        a1 = Fma.MultiplyAdd(Dot(magnitude, w, x1), Vector256.Create(scale * s1), a1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> One(byte* block, Vector256<sbyte> x, float s, Vector256<float> a)
    {
        var w = TWeight.Load(block);
        return Fma.MultiplyAdd(Dot(Avx2.Abs(w), w, x), Vector256.Create(Int8Blocks.Scale(block) * s), a);
    }

    /// <summary>|w| · (x with the sign of w): at most 128 · 127 · 2 in 16 bits, so nothing saturates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Dot(Vector256<byte> magnitude, Vector256<sbyte> w, Vector256<sbyte> x)
    {
        var pairs = Avx2.MultiplyAddAdjacent(magnitude, Avx2.Sign(x, w));
        return Avx.ConvertToVector256Single(Avx2.MultiplyAddAdjacent(pairs, Vector256<short>.One));
    }
}
