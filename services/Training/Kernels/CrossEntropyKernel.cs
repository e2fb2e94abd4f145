using System.Runtime.Intrinsics;

namespace Slm.Training.Kernels;

/// <summary>Softmax cross-entropy over rows of logits.</summary>
internal static unsafe class CrossEntropyKernel
{
    /// <summary>
    /// Replaces each row of logits by the gradient (softmax − one-hot)·<paramref name="weight"/>; rows with a negative
    /// target get zeros. Returns Σ −log p(target) over the counted rows.
    /// </summary>
    public static double ForwardBackward<T>(void* logits, ReadOnlySpan<int> targets, int vocabulary, float weight)
        where T : struct, IStorage
    {
        var total = 0.0;
        for (var row = 0; row < targets.Length; row++)
        {
            var at = (nint)row * vocabulary;
            var target = targets[row];
            if (target < 0)
            {
                for (nint i = 0; i < vocabulary; i += 16)
                    T.Store(logits, at + i, Vector512<float>.Zero);
                continue;
            }

            var max = Vector512.Create(float.NegativeInfinity);
            for (nint i = 0; i < vocabulary; i += 16)
                max = Vector512.Max(max, T.Load(logits, at + i));
            var peak = float.NegativeInfinity;
            for (var lane = 0; lane < 16; lane++)
                peak = MathF.Max(peak, max[lane]);
            var sum = Vector512<float>.Zero;
            for (nint i = 0; i < vocabulary; i += 16)
                sum += Exponential.Exp(T.Load(logits, at + i) - Vector512.Create(peak));
            var mass = Vector512.Sum(sum);
            var ofTarget = T.Get(logits, at + target);
            total += Math.Log(mass) + peak - ofTarget;
            var factor = weight / mass;
            for (nint i = 0; i < vocabulary; i += 16)
                T.Store(logits, at + i, Exponential.Exp(T.Load(logits, at + i) - Vector512.Create(peak)) * factor);
            T.Set(logits, at + target, MathF.Exp(ofTarget - peak) * factor - weight);
        }

        return total;
    }
}
