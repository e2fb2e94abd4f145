using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>Matrix product of Q8_0 or Q4_0 weights with int8 activations on any processor: exact integer sums per block, then blocks in order.</summary>
internal static unsafe class Int8MatMulPortable<TWeight>
    where TWeight : struct, IInt8Weight
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in MatMulTask task, int begin, int end, float* scratch)
    {
        nint blocks = task.Columns / 32;
        for (var row = begin; row < end; row++)
        {
            for (var token = 0; token < task.Tokens; token++)
            {
                var w = task.Weights + (row * task.RowBytes);
                var x = task.XInt8 + ((nint)token * task.Columns);
                var s = task.XScales + (token * blocks);
                var sum = 0f;
                for (nint b = 0; b < blocks; b++, w += TWeight.BlockBytes, x += 32)
                    sum += Dot(TWeight.Load(w), Vector256.Load(x)) * (Int8Blocks.Scale(w) * s[b]);
                task.Put(token, row, sum);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Dot(Vector256<sbyte> w, Vector256<sbyte> x)
    {
        // At most 128 · 127 · 2 in 16 bits.
        var (w0, w1) = Vector256.Widen(w);
        var (x0, x1) = Vector256.Widen(x);
        var (lower, upper) = Vector256.Widen((w0 * x0) + (w1 * x1));
        return Vector256.Sum(lower + upper);
    }
}
