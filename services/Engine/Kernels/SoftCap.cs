using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>x ← cap · tanh(scale · x / cap) (Gemma 2, 2024): scores and logits that stay within ±cap.</summary>
internal static unsafe class SoftCap<TMath>
    where TMath : struct, IFloatMath
{
    /// <summary>Caps numbers in place; an element's result does not depend on its place or on the count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, int count, float scale, float cap)
    {
        var i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            Eight(Vector256.Load(x + i), scale, cap).Store(x + i);
        for (; i < count; i++)
            x[i] = Eight(Vector256.Create(x[i]), scale, cap).ToScalar();
    }

    /// <summary>tanh z = 1 - 2 / (e^2z + 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(Vector256<float> x, float scale, float cap)
    {
        var power = Lanes.Exp<TMath>(x * Vector256.Create(2 * scale / cap));
        return Vector256.Create(cap) - (Vector256.Create(2 * cap) / (power + Vector256<float>.One));
    }
}
