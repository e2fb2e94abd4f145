using System.Runtime.CompilerServices;

namespace Slm.Engine.Kernels;

/// <summary>Rotates the leading elements of heads by precomputed cosines and sines. Plain multiplications, the same in every kernel set.</summary>
internal static unsafe class Rope
{
    /// <summary>Rotates <paramref name="heads"/> heads that lie <paramref name="headSize"/> elements apart.</summary>
    /// <param name="x">[heads, headSize].</param>
    /// <param name="heads">Number of heads.</param>
    /// <param name="headSize">Elements per head.</param>
    /// <param name="cos">[pairs], of this position.</param>
    /// <param name="sin">[pairs], of this position.</param>
    /// <param name="pairs">Half the number of rotated elements.</param>
    /// <param name="neoX">Pairs (i, i + pairs) if true, (2i, 2i + 1) if false.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* x, int heads, int headSize, float* cos, float* sin, int pairs, bool neoX)
    {
        var step = neoX ? 1 : 2;
        var partner = neoX ? pairs : 1;
        for (var head = 0; head < heads; head++, x += headSize)
        {
            var at = x;
            for (var i = 0; i < pairs; i++, at += step)
            {
                var a = at[0];
                var b = at[partner];
                at[0] = (a * cos[i]) - (b * sin[i]);
                at[partner] = (a * sin[i]) + (b * cos[i]);
            }
        }
    }
}
