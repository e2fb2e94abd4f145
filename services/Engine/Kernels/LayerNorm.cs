using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>
/// y = (x - m) / √(mean((x - m)²) + ε) · w + b with m = mean(x), over one row (Ba et al. 2016). <c>x</c> and <c>y</c> may be
/// the same memory; without a bias it is null.
/// </summary>
internal static unsafe class LayerNorm<TMath>
    where TMath : struct, IFloatMath
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, float* weight, float* bias, float* y, int count, float epsilon)
    {
        var sums = Vector256<float>.Zero;
        var i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            sums += Vector256.Load(x + i);
        var sum = Lanes.Sum(sums);
        for (; i < count; i++)
            sum += x[i];
        var mean = sum / count;

        // From the centred row: the difference of large squares would lose what it is to measure.
        var means = Vector256.Create(mean);
        var squares = Vector256<float>.Zero;
        for (i = 0; i + Lanes.Count <= count; i += Lanes.Count)
        {
            var centred = Vector256.Load(x + i) - means;
            squares = TMath.MultiplyAdd(centred, centred, squares);
        }

        var square = Lanes.Sum(squares);
        for (; i < count; i++)
            square += (x[i] - mean) * (x[i] - mean);
        var scale = 1f / MathF.Sqrt((square / count) + epsilon);
        var scales = Vector256.Create(scale);
        for (i = 0; i + Lanes.Count <= count; i += Lanes.Count)
        {
            var value = (Vector256.Load(x + i) - means) * scales * Vector256.Load(weight + i);
            (bias == null ? value : value + Vector256.Load(bias + i)).Store(y + i);
        }

        for (; i < count; i++)
        {
            var value = (x[i] - mean) * scale * weight[i];
            y[i] = bias == null ? value : value + bias[i];
        }
    }
}
