using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Blocks;

/// <summary>y += w · x with two roundings, the same on every processor and at every place of a row.</summary>
internal static unsafe class WeightedSum
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(float* x, float weight, float* y, int count)
    {
        var weights = Vector256.Create(weight);
        var i = 0;
        for (; i + Vector256<float>.Count <= count; i += Vector256<float>.Count)
            (Vector256.Load(y + i) + (Vector256.Load(x + i) * weights)).Store(y + i);
        for (; i < count; i++)
            y[i] += x[i] * weight;
    }
}
