using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Adapters;

namespace Slm.Engine.Kernels;

/// <summary>Layout of the second matrix of an adapter.</summary>
internal static unsafe class LoraProduct
{
    /// <summary>Rows of a panel; the parts of a product begin at multiples of it.</summary>
    public const int PanelRows = 16;

    /// <summary>Floats of all panels of a matrix [rows, rank].</summary>
    public static long PanelFloats(int rows, int rank) => (long)(rows + PanelRows - 1) / PanelRows * PanelRows * rank;

    /// <summary>Where element <paramref name="column"/> of a row lies.</summary>
    public static long At(int row, int column, int rank) => ((long)row / PanelRows * PanelRows * rank) + ((long)column * PanelRows) + (row % PanelRows);
}

/// <summary>
/// y += scale · B·u for the rows of a product that adapters change (Hu et al. 2021), u = A·x. Every element is reduced the same way, whatever
/// else is in the batch: the even elements of u in order, the odd ones in order, their sum, the scale, then the product without adapter.
/// </summary>
internal static unsafe class LoraProduct<TMath>
    where TMath : struct, IFloatMath
{
    /// <summary>Adds to rows <paramref name="begin"/> (a multiple of a panel) to <paramref name="end"/>, exclusive (another or the last), of all segments.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add(in MatMulTask task, int begin, int end)
    {
        for (var s = 0; s < task.SegmentCount; s++)
        {
            var segment = task.Segments + s;
            nint rank = segment->Factors.Rank;
            for (var row = begin; row < end; row += LoraProduct.PanelRows)
            {
                var panel = segment->Factors.B + (row * rank);
                for (nint t = 0; t < segment->Count; t++)
                    AddPanel(panel, segment->Projected + (t * rank), rank, segment->Factors.Scale, task.Y + ((segment->First + t) * task.Rows) + row, end - row);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPanel(float* panel, float* u, nint rank, float scale, float* y, int rows)
    {
        Vector256<float> even0 = default, even1 = default, odd0 = default, odd1 = default;
        nint j = 0;
        for (; j + 2 <= rank; j += 2, panel += 2 * LoraProduct.PanelRows)
        {
            var x = Vector256.Create(u[j]);
            even0 = TMath.MultiplyAdd(Vector256.Load(panel), x, even0);
            even1 = TMath.MultiplyAdd(Vector256.Load(panel + 8), x, even1);
            x = Vector256.Create(u[j + 1]);
            odd0 = TMath.MultiplyAdd(Vector256.Load(panel + 16), x, odd0);
            odd1 = TMath.MultiplyAdd(Vector256.Load(panel + 24), x, odd1);
        }

        if (j < rank)
        {
            var x = Vector256.Create(u[j]);
            even0 = TMath.MultiplyAdd(Vector256.Load(panel), x, even0);
            even1 = TMath.MultiplyAdd(Vector256.Load(panel + 8), x, even1);
        }

        var sum0 = (even0 + odd0) * Vector256.Create(scale);
        var sum1 = (even1 + odd1) * Vector256.Create(scale);
        if (rows >= LoraProduct.PanelRows)
        {
            (Vector256.Load(y) + sum0).Store(y);
            (Vector256.Load(y + 8) + sum1).Store(y + 8);
            return;
        }

        var rest = stackalloc float[LoraProduct.PanelRows];
        sum0.Store(rest);
        sum1.Store(rest + 8);
        for (var r = 0; r < rows; r++)
            y[r] += rest[r];
    }
}
