using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>The function on the gate of a gated linear unit (Shazeer 2020).</summary>
internal enum GateFunction
{
    /// <summary>g / (1 + e^-g): SwiGLU.</summary>
    Silu,

    /// <summary>g/2 · (1 + tanh(√(2/π) · (g + 0.044715 g³))): GeGLU.</summary>
    Gelu,

    /// <summary>max(g, 0): ReGLU.</summary>
    Relu,

    /// <summary>max(x, 0)², a function without gate (So et al. 2021).</summary>
    ReluSquared,

    /// <summary>g · Φ(g) with the normal distribution function Φ, of which <see cref="Gelu"/> is an approximation.</summary>
    GeluExact,
}

/// <summary>One function of eight gates.</summary>
internal interface IGateFunction
{
    static abstract Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath;
}

/// <summary>See <see cref="GateFunction.Silu"/>.</summary>
internal readonly struct SiluGate : IGateFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath => gate / (Vector256<float>.One + Lanes.Exp<TMath>(-gate));
}

/// <summary>See <see cref="GateFunction.Gelu"/>; computed as g / (1 + e^-2z), which is the same.</summary>
internal readonly struct GeluGate : IGateFunction
{
    private const float TwiceRootTwoOverPi = 1.5957691216057308f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath
    {
        var cubic = TMath.MultiplyAdd(gate * gate * Vector256.Create(0.044715f), gate, gate);
        return gate / (Vector256<float>.One + Lanes.Exp<TMath>(cubic * Vector256.Create(-TwiceRootTwoOverPi)));
    }
}

/// <summary>See <see cref="GateFunction.Relu"/>.</summary>
internal readonly struct ReluGate : IGateFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath => Vector256.Max(gate, Vector256<float>.Zero);
}

/// <summary>See <see cref="GateFunction.ReluSquared"/>.</summary>
internal readonly struct ReluSquaredGate : IGateFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath
    {
        var open = Vector256.Max(gate, Vector256<float>.Zero);
        return open * open;
    }
}

/// <summary>
/// See <see cref="GateFunction.GeluExact"/>: 1 - Φ(|g|) = ½ · erfc(|g|/√2) by the rational approximation 7.1.26 of Abramowitz
/// and Stegun (1964), whose error is at most 1.5e-7; from there without cancellation.
/// </summary>
internal readonly struct GeluExactGate : IGateFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Apply<TMath>(Vector256<float> gate)
        where TMath : struct, IFloatMath
    {
        var z = Vector256.Abs(gate) * Vector256.Create(0.70710678f);
        var t = Vector256<float>.One / TMath.MultiplyAdd(z, Vector256.Create(0.3275911f), Vector256<float>.One);
        var p = Vector256.Create(1.061405429f);
        p = TMath.MultiplyAdd(p, t, Vector256.Create(-1.453152027f));
        p = TMath.MultiplyAdd(p, t, Vector256.Create(1.421413741f));
        p = TMath.MultiplyAdd(p, t, Vector256.Create(-0.284496736f));
        p = TMath.MultiplyAdd(p, t, Vector256.Create(0.254829592f));
        var above = p * t * Lanes.Exp<TMath>(-(z * z)) * Vector256.Create(0.5f);
        var below = Vector256.ConditionalSelect(Vector256.LessThan(gate, Vector256<float>.Zero), above, Vector256<float>.One - above);
        return gate * below;
    }
}

/// <summary>g ← f(g) · u, element by element: an element's value does not depend on its place or on the count.</summary>
internal static unsafe class GatedUnit<TMath, TFunction>
    where TMath : struct, IFloatMath
    where TFunction : struct, IGateFunction
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
    private static Vector256<float> Eight(Vector256<float> gate, Vector256<float> up)
    {
        var product = TFunction.Apply<TMath>(gate) * up;
        // +0 behind a closed gate, whatever the factor is: it may have been left out.
        return typeof(TFunction) == typeof(ReluGate) ? Vector256.ConditionalSelect(Vector256.LessThanOrEqual(gate, Vector256<float>.Zero), Vector256<float>.Zero, product) : product;
    }
}

/// <summary>x ← f(x), element by element.</summary>
internal static unsafe class Activation<TMath, TFunction>
    where TMath : struct, IFloatMath
    where TFunction : struct, IGateFunction
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* x, int count)
    {
        var i = 0;
        for (; i + Lanes.Count <= count; i += Lanes.Count)
            TFunction.Apply<TMath>(Vector256.Load(x + i)).Store(x + i);
        if (i == count)
            return;
        var tail = stackalloc float[Lanes.Count];
        for (var j = 0; j < Lanes.Count; j++)
            tail[j] = i + j < count ? x[i + j] : 0;
        TFunction.Apply<TMath>(Vector256.Load(tail)).Store(tail);
        for (var j = i; j < count; j++)
            x[j] = tail[j - i];
    }
}
