using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>The recurrent part of Mamba-2 (Dao and Gu 2024), one position at a time, so that the bits do not depend on how a prompt is cut.</summary>
internal static unsafe class StateScan<TMath>
    where TMath : struct, IFloatMath
{
    /// <summary>One position of one head: S ← decay · S + (step · x) ⊗ b, y = S·c + skip · x.</summary>
    /// <param name="state">S [size, columns].</param>
    /// <param name="x">[size].</param>
    /// <param name="b">[columns].</param>
    /// <param name="c">[columns].</param>
    /// <param name="y">[size].</param>
    /// <param name="terms">Decay, step and skip.</param>
    /// <param name="size">Rows of the state.</param>
    /// <param name="columns">Columns of the state.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Step(float* state, float* x, float* b, float* c, float* y, in ScanTerms terms, int size, int columns)
    {
        var decay = Vector256.Create(terms.Decay);
        for (var row = 0; row < size; row++, state += columns)
        {
            var input = terms.Step * x[row];
            var inputs = Vector256.Create(input);
            var sums = Vector256<float>.Zero;
            var n = 0;
            for (; n + Lanes.Count <= columns; n += Lanes.Count)
            {
                var next = TMath.MultiplyAdd(inputs, Vector256.Load(b + n), Vector256.Load(state + n) * decay);
                next.Store(state + n);
                sums = TMath.MultiplyAdd(next, Vector256.Load(c + n), sums);
            }

            var sum = Lanes.Sum(sums);
            for (; n < columns; n++)
            {
                state[n] = (state[n] * terms.Decay) + (input * b[n]);
                sum += state[n] * c[n];
            }

            y[row] = sum + (terms.Skip * x[row]);
        }
    }

    /// <summary>One position of a causal convolution over each channel, then SiLU.</summary>
    /// <param name="rows">Inputs [channels] of the positions it sees, oldest first.</param>
    /// <param name="weights">[positions, channels].</param>
    /// <param name="bias">[channels].</param>
    /// <param name="y">[channels].</param>
    /// <param name="positions">Positions it sees.</param>
    /// <param name="channels">Number of channels.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Convolve(float** rows, float* weights, float* bias, float* y, int positions, int channels)
    {
        var i = 0;
        for (; i + Lanes.Count <= channels; i += Lanes.Count)
        {
            var sum = Vector256.Load(bias + i);
            for (var k = 0; k < positions; k++)
                sum = TMath.MultiplyAdd(Vector256.Load(weights + (k * (nint)channels) + i), Vector256.Load(rows[k] + i), sum);
            SiluGate.Apply<TMath>(sum).Store(y + i);
        }

        if (i == channels)
            return;
        var tail = stackalloc float[Lanes.Count];
        var sums = Tail(bias + i, tail, channels - i);
        for (var k = 0; k < positions; k++)
        {
            var weight = Tail(weights + (k * (nint)channels) + i, tail, channels - i);
            sums = TMath.MultiplyAdd(weight, Tail(rows[k] + i, tail, channels - i), sums);
        }

        SiluGate.Apply<TMath>(sums).Store(tail);
        NativeMemory.Copy(tail, y + i, (nuint)(channels - i) * sizeof(float));
    }

    private static Vector256<float> Tail(float* x, float* room, int count)
    {
        Vector256<float>.Zero.Store(room);
        NativeMemory.Copy(x, room, (nuint)count * sizeof(float));
        return Vector256.Load(room);
    }
}

/// <summary>Numbers of one head at one position.</summary>
/// <param name="Decay">Factor of the state.</param>
/// <param name="Step">Factor of what is added to it.</param>
/// <param name="Skip">Factor of the input in the output.</param>
internal readonly record struct ScanTerms(float Decay, float Step, float Skip);
