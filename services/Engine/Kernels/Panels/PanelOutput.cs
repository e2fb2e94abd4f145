using System.Runtime.CompilerServices;

namespace Slm.Engine.Kernels.Panels;

/// <summary>What the panel kernels share: the loops over token tiles and panels, and where results go.</summary>
internal static unsafe class PanelOutput<TWide, TVector>
    where TWide : struct, IWide<TVector>
    where TVector : struct
{
    /// <summary>Tokens whose activations stay in the cache while a range of panels passes.</summary>
    public const int TokenTile = 64;

    /// <summary>Writes the rows of one panel for one token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(in MatMulTask task, int token, int row, TVector sum)
    {
        var target = task.Y + ((nint)token * task.Rows) + row;
        if (row + TWide.Rows <= task.Rows)
        {
            if (task.Bias != null)
                sum = TWide.AddFloat(sum, TWide.Load((byte*)(task.Bias + row)));
            if (task.Accumulate)
                sum = TWide.AddFloat(TWide.Load((byte*)target), sum);
            TWide.Store(sum, target);
        }
        else
        {
            PutSome(in task, token, row, sum);
        }
    }

    private static void PutSome(in MatMulTask task, int token, int row, TVector sum)
    {
        var values = stackalloc float[16];
        TWide.Store(sum, values);
        for (var i = 0; row + i < task.Rows; i++)
            task.Put(token, row + i, values[i]);
    }
}
