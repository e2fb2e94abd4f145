using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Training.Kernels;

/// <summary>SwiGLU: a = g·σ(g)·u, where each row holds the gate g and then the up projection u.</summary>
internal static unsafe class SwiGluKernel
{
    /// <summary>a [rows, width] from gateUp [rows, 2·width].</summary>
    public static void Forward<T>(void* gateUp, void* a, int rows, int width)
        where T : struct, IStorage
    {
        for (nint row = 0; row < rows; row++)
        {
            var from = row * 2 * width;
            for (nint i = 0; i < width; i += 16)
            {
                var g = T.Load(gateUp, from + i);
                T.Store(a, row * width + i, g * Sigmoid(g) * T.Load(gateUp, from + width + i));
            }
        }
    }

    /// <summary>dg = da·u·σ(1 + g(1 − σ)), du = da·g·σ, written to dGateUp [rows, 2·width].</summary>
    public static void Backward<T>(void* gateUp, void* da, void* dGateUp, int rows, int width)
        where T : struct, IStorage
    {
        for (nint row = 0; row < rows; row++)
        {
            var from = row * 2 * width;
            for (nint i = 0; i < width; i += 16)
            {
                var g = T.Load(gateUp, from + i);
                var u = T.Load(gateUp, from + width + i);
                var d = T.Load(da, row * width + i);
                var s = Sigmoid(g);
                var gs = g * s;
                T.Store(dGateUp, from + i, d * u * (s + gs * (Vector512<float>.One - s)));
                T.Store(dGateUp, from + width + i, d * gs);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exponential.Exp(-x));
}
