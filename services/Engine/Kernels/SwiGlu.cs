using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>g ← g / (1 + e^-g) · u, element by element: an element's value does not depend on its place or on the count.</summary>
internal static unsafe class SwiGlu<TMath>
    where TMath : struct, IFloatMath
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* gate, float* up, int count)
    {
        var i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            Eight(Vector256.Load(gate + i), Vector256.Load(up + i)).Store(gate + i);
        if (i == count)
            return;
        var tail = stackalloc float[2 * Lanes.Count];
        for (var j = 0; j < 2 * Lanes.Count; j++)
            tail[j] = 0;
        for (var j = i; j < count; j++)
        {
            tail[j - i] = gate[j];
            tail[j - i + Lanes.Count] = up[j];
        }

        Eight(Vector256.Load(tail), Vector256.Load(tail + Lanes.Count)).Store(tail);
        for (var j = i; j < count; j++)
            gate[j] = tail[j - i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(Vector256<float> gate, Vector256<float> up) =>
        gate / (Vector256<float>.One + Lanes.Exp<TMath>(-gate)) * up;
}
