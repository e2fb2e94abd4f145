using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;

namespace Slm.Engine.Adapters;

/// <summary>Lays the matrices of a pair out for the kernels.</summary>
internal static unsafe class LoraLayout
{
    /// <summary>Fills both matrices; false if one of them is all zero.</summary>
    /// <exception cref="AdapterFormatException">A value is not finite.</exception>
    public static bool Fill(LoraAdapter adapter, LoraPair pair, Linear matrix, LoraFactors target)
    {
        if (matrix.IsTransposed)
            return FillTransposed(adapter, pair, matrix, target);
        var any = pair.IsEmbedding ? FillEmbedding(adapter, pair, target.A) : FillFirst(adapter, pair, matrix, target.A);
        return FillPanels(adapter, pair, matrix, target.B) && any;
    }

    private static bool FillFirst(LoraAdapter adapter, LoraPair pair, Linear matrix, float* target)
    {
        var any = false;
        for (var j = 0; j < pair.Rank; j++, target += pair.Columns)
        {
            pair.A.Read((matrix.Index * (long)pair.Rank) + j, target);
            any |= Check(adapter, pair.A, target, pair.Columns);
        }

        return any;
    }

    /// <summary>[vocabulary, rank].</summary>
    private static bool FillEmbedding(LoraAdapter adapter, LoraPair pair, float* target)
    {
        var any = false;
        var row = new PinnedArray(pair.A.Columns);
        for (long i = 0; i < pair.A.Rows; i++)
        {
            pair.A.Read(i, row.Pointer);
            any |= Check(adapter, pair.A, row.Pointer, pair.A.Columns);
            for (var c = 0; c < pair.A.Columns; c++)
                target[pair.Transposed ? (c * (long)pair.Rank) + i : (i * pair.Rank) + c] = row.Pointer[c];
        }

        return any;
    }

    /// <summary>(B·A)ᵀ = Aᵀ·Bᵀ, for some rows of B.</summary>
    private static bool FillTransposed(LoraAdapter adapter, LoraPair pair, Linear matrix, LoraFactors target)
    {
        var (anyA, anyB) = (false, false);
        var row = new PinnedArray(Math.Max(pair.Rank, pair.Columns));
        for (var i = 0; i < matrix.Columns; i++)
        {
            pair.B.Read(matrix.FirstRow + i, row.Pointer);
            anyB |= Check(adapter, pair.B, row.Pointer, pair.Rank);
            for (var j = 0; j < pair.Rank; j++)
                target.A[((long)j * matrix.Columns) + i] = row.Pointer[j];
        }

        new Span<float>(target.B, checked((int)LoraProduct.PanelFloats(matrix.Rows, pair.Rank))).Clear();
        for (var j = 0; j < pair.Rank; j++)
        {
            pair.A.Read(j, row.Pointer);
            anyA |= Check(adapter, pair.A, row.Pointer, pair.Columns);
            for (var r = 0; r < matrix.Rows; r++)
                target.B[LoraProduct.At(r, j, pair.Rank)] = row.Pointer[r];
        }

        return anyA && anyB;
    }

    private static bool FillPanels(LoraAdapter adapter, LoraPair pair, Linear matrix, float* target)
    {
        var rows = pair.IsEmbedding ? pair.Rows : matrix.Rows;
        new Span<float>(target, checked((int)LoraProduct.PanelFloats(rows, pair.Rank))).Clear();
        var any = false;
        var values = new PinnedArray(pair.Rank);
        for (var row = 0; row < rows; row++)
        {
            pair.B.Read((matrix.Index * (long)pair.Rows) + matrix.FirstRow + row, values.Pointer);
            any |= Check(adapter, pair.B, values.Pointer, pair.Rank);
            for (var j = 0; j < pair.Rank; j++)
                target[LoraProduct.At(row, j, pair.Rank)] = values.Pointer[j];
        }

        return any;
    }

    /// <summary>True if there is a value other than zero.</summary>
    private static bool Check(LoraAdapter adapter, LoraFactor factor, float* values, int count)
    {
        var any = false;
        for (var i = 0; i < count; i++)
        {
            if (!float.IsFinite(values[i]))
                throw new AdapterFormatException(adapter.Name, factor.Name, $"the tensor '{factor.Name}' holds {values[i]}; its training has diverged, or the file is damaged.");
            any |= values[i] != 0;
        }

        return any;
    }
}
