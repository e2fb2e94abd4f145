using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>y = x / √(mean(x²) + ε) · w, over one row. <c>x</c> and <c>y</c> may be the same memory.</summary>
internal static unsafe class RmsNorm<TMath>
    where TMath : struct, IFloatMath
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, float* weight, float* y, int count, float epsilon)
    {
        Vector256<float> a0 = default, a1 = default;
        var i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var v0 = Vector256.Load(x + i);
            var v1 = Vector256.Load(x + i + 8);
            a0 = TMath.MultiplyAdd(v0, v0, a0);
            a1 = TMath.MultiplyAdd(v1, v1, a1);
        }

        var sum = Lanes.Sum(a0 + a1);
        for (; i < count; i++)
            sum += x[i] * x[i];
        var scale = 1f / MathF.Sqrt((sum / count) + epsilon);
        var scales = Vector256.Create(scale);
        for (i = 0; i + Lanes.Count <= count; i += Lanes.Count)
            (Vector256.Load(x + i) * scales * Vector256.Load(weight + i)).Store(y + i);
        for (; i < count; i++)
            y[i] = x[i] * scale * weight[i];
    }
}
