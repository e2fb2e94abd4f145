using System.Runtime.Intrinsics;
using Slm.Training.Kernels;
using Slm.Training.Model;

namespace Slm.Training.Optimization;

/// <summary>Constants of <see cref="AdamW{T}"/>.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to √v̂.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay of matrices.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Largest global norm of the gradient; larger ones are scaled down to it.</summary>
    public double MaxGradientNorm { get; init; } = 1;
}

/// <summary>
/// AdamW (Loshchilov and Hutter, 2019): m = β₁m + (1−β₁)g, v = β₂v + (1−β₂)g²,
/// w ← w − η·(m̂/(√v̂ + ε) + λ·w), with λ for matrices only. Gradients of several batches are added in a fixed order and
/// the norm in fixed blocks, so the result does not depend on the number of threads.
/// </summary>
internal sealed unsafe class AdamW<T>(ParameterLayout layout, AdamWOptions options)
    where T : struct, IStorage
{
    private const int Block = 1 << 16;

    private readonly float[] _gradient = new float[layout.Length];
    private readonly double[] _squares = new double[(layout.Length + Block - 1) / Block];
    /// <summary>Weight decay of each 16 elements.</summary>
    private readonly float[] _decay = BuildDecay(layout, options);

    /// <summary>First moments, flat.</summary>
    public float[] First { get; } = new float[layout.Length];

    /// <summary>Second moments, flat.</summary>
    public float[] Second { get; } = new float[layout.Length];

    /// <summary>Applies one update and refreshes the weights' copy in the compute type.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="slots">Gradients, added up.</param>
    /// <param name="step">From 1, for the bias correction.</param>
    /// <param name="rate">Learning rate η.</param>
    /// <param name="threads">Threads to use.</param>
    /// <returns>Norm of the gradient before clipping; not finite means that nothing was changed.</returns>
    public double Step(WeightSet<T> weights, IReadOnlyList<GradientSlot<T>> slots, int step, double rate, int threads)
    {
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        Parallel.For(0, _squares.Length, parallel, b => Gather(slots, b));
        var norm = Math.Sqrt(_squares.Sum());
        if (!double.IsFinite(norm))
            return norm;
        var clip = norm > options.MaxGradientNorm ? (float)(options.MaxGradientNorm / norm) : 1f;
        Parallel.For(0, _squares.Length, parallel, b => Update(weights, b, step, rate, clip));
        return norm;
    }

    private void Gather(IReadOnlyList<GradientSlot<T>> slots, int block)
    {
        int from = block * Block, to = Math.Min(layout.Length, from + Block);
        fixed (float* g = _gradient)
        {
            for (nint i = from; i < to; i += 16)
            {
                var sum = T.Load(slots[0].Matrices, i);
                for (var s = 1; s < slots.Count; s++)
                    sum += T.Load(slots[s].Matrices, i);
                sum.Store(g + i);
            }

            // The embedding has a second gradient from the lookup; gains have theirs in F32.
            foreach (var p in layout.All)
            {
                if ((p.IsMatrix && p != layout.Embedding) || p.Offset >= to || p.Offset + p.Length <= from)
                    continue;
                int first = Math.Max(from, p.Offset), last = Math.Min(to, p.Offset + p.Length);
                if (!p.IsMatrix)
                    _gradient.AsSpan(first..last).Clear();
                foreach (var slot in slots)
                {
                    var source = (p.IsMatrix ? slot.InputEmbedding : slot.Vector(p)) - p.Offset;
                    for (var i = first; i < last; i++)
                        g[i] += source[i];
                }
            }

            var squares = 0.0;
            for (var i = from; i < to; i++)
                squares += (double)g[i] * g[i];
            _squares[block] = squares;
        }
    }

    private void Update(WeightSet<T> weights, int block, int step, double rate, float clip)
    {
        int from = block * Block, to = Math.Min(layout.Length, from + Block);
        var (b1, b2) = ((float)options.Beta1, (float)options.Beta2);
        var c1 = Vector512.Create((float)(rate / (1 - Math.Pow(options.Beta1, step))));
        var c2 = Vector512.Create((float)(1 / (1 - Math.Pow(options.Beta2, step))));
        var epsilon = Vector512.Create((float)options.Epsilon);
        fixed (float* gradient = _gradient, first = First, second = Second, decay = _decay)
        {
            for (nint i = from; i < to; i += 16)
            {
                var g = Vector512.Load(gradient + i) * clip;
                var m = Vector512.Load(first + i) * b1 + g * (1 - b1);
                var v = Vector512.Load(second + i) * b2 + g * g * (1 - b2);
                m.Store(first + i);
                v.Store(second + i);
                var w = Vector512.Load(weights.Master + i);
                w -= c1 * m / (Vector512.Sqrt(v * c2) + epsilon) + w * (decay[i / 16] * (float)rate);
                w.Store(weights.Master + i);
            }
        }

        weights.Refresh(from, to);
    }

    private static float[] BuildDecay(ParameterLayout layout, AdamWOptions options)
    {
        var decay = new float[layout.Length / 16];
        foreach (var p in layout.All.Where(p => p.IsMatrix))
            decay.AsSpan(p.Offset / 16, p.Length / 16).Fill((float)options.WeightDecay);
        return decay;
    }
}
