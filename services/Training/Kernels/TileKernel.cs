using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Training.Kernels;

/// <summary>The small matrix product under attention: four rows times a panel of contiguous rows, in registers.</summary>
internal static unsafe class TileKernel
{
    /// <summary>
    /// c[r, n] = Σ_k a[r·aRow + k·aStep]·b[k·bRow + n] for r in 0…3, n in 0…columns−1, k in 0…depth−1.
    /// </summary>
    /// <param name="columns">A multiple of 32.</param>
    /// <param name="accumulate">Adds to c instead of replacing it.</param>
    public static void Multiply(float* a, nint aRow, nint aStep, float* b, nint bRow, float* c, nint cRow, int columns, int depth, bool accumulate = false)
    {
        for (nint n = 0; n < columns; n += 32)
            Tile(a, aRow, aStep, b + n, bRow, c + n, cRow, depth, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(float* a, nint aRow, nint aStep, float* b, nint bRow, float* c, nint cRow, int depth, bool accumulate)
    {
        Vector512<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        float* a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow;
        for (nint k = depth; k > 0; k--)
        {
            var b0 = Vector512.Load(b);
            var b1 = Vector512.Load(b + 16);
            var x = Vector512.Create(*a);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(*a1);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(*a2);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(*a3);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            a += aStep;
            a1 += aStep;
            a2 += aStep;
            a3 += aStep;
            b += bRow;
        }

        Put(c, c00, c01, accumulate);
        Put(c + cRow, c10, c11, accumulate);
        Put(c + 2 * cRow, c20, c21, accumulate);
        Put(c + 3 * cRow, c30, c31, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector512<float> low, Vector512<float> high, bool accumulate)
    {
        if (accumulate)
        {
            low += Vector512.Load(c);
            high += Vector512.Load(c + 16);
        }

        low.Store(c);
        high.Store(c + 16);
    }
}
