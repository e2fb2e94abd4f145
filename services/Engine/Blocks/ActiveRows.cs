using System.Numerics.Tensors;
using Slm.Engine.Kernels;

namespace Slm.Engine.Blocks;

/// <summary>
/// The second product of a ReGLU, of the rows alone whose gate some token has open: a gate of max(g, 0) = 0 makes the other
/// factor's value meaningless (Song et al. 2025, SmallThinker). Nothing is approximated. Rows of a panel lie interleaved, so
/// they are left out together or not at all.
/// </summary>
internal static unsafe class ActiveRows
{
    /// <summary>Computes rows <paramref name="begin"/> to <paramref name="end"/> of <paramref name="factor"/>; those left out become 0.</summary>
    /// <param name="gate">The first product, whose rows are there.</param>
    /// <param name="factor">The second.</param>
    /// <param name="begin">First row; of panels the first of one.</param>
    /// <param name="end">Row after the last.</param>
    /// <param name="scratch">Room for <see cref="MatMulTask.Run"/>.</param>
    public static void Run(in MatMulTask gate, in MatMulTask factor, int begin, int end, float* scratch)
    {
        var first = begin;
        // What adapters add is computed for whole ranges of rows.
        if (factor.AddSegments != null)
        {
            factor.Run(begin, end, scratch);
            return;
        }

        for (var row = begin; row < end;)
        {
            var next = Math.Min(end, row + Math.Max(1, factor.RowsTogether));
            if (!IsOpen(in gate, row, next))
            {
                if (row > first)
                    factor.Run(first, row, scratch);
                for (nint token = 0; token < factor.Tokens; token++)
                    new Span<float>(factor.Y + (token * factor.Rows) + row, next - row).Clear();
                first = next;
            }

            row = next;
        }

        if (end > first)
            factor.Run(first, end, scratch);
    }

    private static bool IsOpen(in MatMulTask gate, int begin, int end)
    {
        for (nint token = 0; token < gate.Tokens; token++)
        {
            // What is no number counts as open, so that it is seen.
            if (!(TensorPrimitives.Max(new ReadOnlySpan<float>(gate.Y + (token * gate.Rows) + begin, end - begin)) <= 0))
                return true;
        }

        return false;
    }
}
