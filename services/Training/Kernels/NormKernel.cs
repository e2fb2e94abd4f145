using System.Runtime.Intrinsics;

namespace Slm.Training.Kernels;

/// <summary>RMSNorm: y = g ∘ x·r with r = 1/√(mean(x²) + ε), joined with the residual add before it.</summary>
internal static unsafe class NormKernel
{
    /// <summary>
    /// For each of <paramref name="rows"/> rows: x' = x + delta (delta may be null), y = norm(x').
    /// </summary>
    /// <param name="x">[rows, width] residual stream.</param>
    /// <param name="delta">[rows, width] what the last sublayer adds, or null.</param>
    /// <param name="sum">[rows, width] receives x'; may be <paramref name="x"/>.</param>
    /// <param name="y">[rows, width] receives the normed rows.</param>
    /// <param name="scale">[rows] receives r.</param>
    public static void Forward<T>(float* x, void* delta, float* gain, float* sum, void* y, float* scale, int rows, int width, float epsilon)
        where T : struct, IStorage
    {
        for (nint row = 0; row < rows; row++)
        {
            var at = row * width;
            var squares = Vector512<float>.Zero;
            for (nint i = at; i < at + width; i += 16)
            {
                var v = Vector512.Load(x + i);
                if (delta != null)
                    v += T.Load(delta, i);
                v.Store(sum + i);
                squares = Vector512.FusedMultiplyAdd(v, v, squares);
            }

            var r = 1 / MathF.Sqrt(Vector512.Sum(squares) / width + epsilon);
            scale[row] = r;
            for (nint i = 0; i < width; i += 16)
                T.Store(y, at + i, Vector512.Load(sum + at + i) * r * Vector512.Load(gain + i));
        }
    }

    /// <summary>
    /// dx += r·(g∘dy) − x·r³/width·Σ(g∘dy∘x); dg += Σ_rows dy∘x·r. Also writes dx in the compute type,
    /// which is what the matrix products before this norm need.
    /// </summary>
    public static void Backward<T>(float* x, float* scale, float* gain, void* dy, float* dx, void* dxOut, float* dgain, int rows, int width)
        where T : struct, IStorage
    {
        for (nint row = 0; row < rows; row++)
        {
            var at = row * width;
            var dot = Vector512<float>.Zero;
            for (nint i = 0; i < width; i += 16)
                dot = Vector512.FusedMultiplyAdd(Vector512.Load(gain + i) * T.Load(dy, at + i), Vector512.Load(x + at + i), dot);
            var r = scale[row];
            var c = -Vector512.Sum(dot) * r * r * r / width;
            for (nint i = 0; i < width; i += 16)
            {
                var xi = Vector512.Load(x + at + i);
                var dyi = T.Load(dy, at + i) * r;
                var d = Vector512.Load(dx + at + i) + Vector512.FusedMultiplyAdd(dyi, Vector512.Load(gain + i), xi * c);
                d.Store(dx + at + i);
                T.Store(dxOut, at + i, d);
                Vector512.FusedMultiplyAdd(dyi, xi, Vector512.Load(dgain + i)).Store(dgain + i);
            }
        }
    }
}
