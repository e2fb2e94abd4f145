using System.Runtime.CompilerServices;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels.Panels;

/// <summary>How a panel yields signed bytes.</summary>
internal unsafe interface ISignedPanel
{
    /// <summary>Bytes per row of the codes of 32 columns.</summary>
    static abstract int CodeBytes { get; }

    /// <summary>Two groups of columns and their numbers: <paramref name="pair"/> and pair + 4.</summary>
    static abstract void Load<TWide, TVector>(byte* codes, int pair, out TVector low, out TVector high)
        where TWide : struct, IWide<TVector>
        where TVector : struct;
}

/// <summary>Signed bytes as they are.</summary>
internal readonly unsafe struct Q80Panel : ISignedPanel
{
    public static int CodeBytes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TWide, TVector>(byte* codes, int pair, out TVector low, out TVector high)
        where TWide : struct, IWide<TVector>
        where TVector : struct
    {
        low = TWide.Load(codes + (pair * 4 * TWide.Rows));
        high = TWide.Load(codes + ((pair + 4) * 4 * TWide.Rows));
    }
}

/// <summary>Nibbles that choose from the 16 values of IQ4_NL.</summary>
internal readonly unsafe struct Iq4Panel : ISignedPanel
{
    private static ReadOnlySpan<sbyte> Values => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    public static int CodeBytes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TWide, TVector>(byte* codes, int pair, out TVector low, out TVector high)
        where TWide : struct, IWide<TVector>
        where TVector : struct
    {
        // Constant data of the assembly: it does not move.
        var table = (byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in Values[0]));
        var packed = TWide.Load(codes + (pair * 4 * TWide.Rows));
        var mask = TWide.Fill(15);
        low = TWide.Lookup(table, TWide.And(packed, mask));
        high = TWide.Lookup(table, TWide.And(TWide.ShiftRight(packed, 4), mask));
    }
}

/// <summary>
/// Matrix product of panels of signed bytes with int8 activations, in the order of <see cref="PanelProduct{TWide,TVector,TFormat}"/>.
/// Pairs are multiplied as |w| · (x with the sign of w): at most 2 · 128 · 127 = 32512, so 16 bits hold one of them.
/// </summary>
internal static unsafe class SignedPanelProduct<TWide, TVector, TCodes>
    where TWide : struct, IWide<TVector>
    where TVector : struct
    where TCodes : struct, ISignedPanel
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in MatMulTask task, int begin, int end, float* scratch)
    {
        for (var first = 0; first < task.Tokens; first += PanelOutput<TWide, TVector>.TokenTile)
        {
            var last = Math.Min(task.Tokens, first + PanelOutput<TWide, TVector>.TokenTile);
            for (var row = begin; row < end; row += TWide.Rows)
            {
                var weights = task.Weights + (row * task.RowBytes);
                var token = first;
                for (; token + 4 <= last; token += 4)
                    Four(in task, weights, row, token, token == first);
                for (; token < last; token++)
                    One(in task, weights, row, token);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(in MatMulTask task, byte* w, int row, int token)
    {
        nint blocks = task.Columns / 32;
        var x = task.XInt8 + ((nint)token * task.Columns);
        var s = task.XScales + (token * blocks);
        var total = default(TVector);
        for (nint b = 0; b < blocks; b++, x += 32, s++)
        {
            var scale = TWide.Halves(w);
            w += 2 * TWide.Rows;
            TVector a = default, c = default;
            for (var pair = 0; pair < 4; pair++)
            {
                TCodes.Load<TWide, TVector>(w, pair, out var low, out var high);
                a = Add(TWide.Magnitude(low), low, x + (4 * pair), a);
                c = Add(TWide.Magnitude(high), high, x + 16 + (4 * pair), c);
            }

            total = Finish(TWide.Add32(a, c), s, scale, total);
            w += TCodes.CodeBytes * TWide.Rows;
        }

        PanelOutput<TWide, TVector>.Put(in task, token, row, total);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(in MatMulTask task, byte* w, int row, int token, bool isFirst)
    {
        nint blocks = task.Columns / 32;
        nint columns = task.Columns;
        var x0 = task.XInt8 + (token * columns);
        var x1 = x0 + columns;
        var x2 = x1 + columns;
        var x3 = x2 + columns;
        var s0 = task.XScales + (token * blocks);
        var s1 = s0 + blocks;
        var s2 = s1 + blocks;
        var s3 = s2 + blocks;
        TVector t0 = default, t1 = default, t2 = default, t3 = default;
        for (nint b = 0; b < blocks; b++)
        {
            if (isFirst)
                WeightsAhead.Fetch(w, (TCodes.CodeBytes + 2) * TWide.Rows);
            TVector a0 = default, a1 = default, a2 = default, a3 = default;
            var codes = w + (2 * TWide.Rows);
            Pair(codes, 0, x0, x1, x2, x3, ref a0, ref a1, ref a2, ref a3);
            Pair(codes, 1, x0, x1, x2, x3, ref a0, ref a1, ref a2, ref a3);
            Pair(codes, 2, x0, x1, x2, x3, ref a0, ref a1, ref a2, ref a3);
            Pair(codes, 3, x0, x1, x2, x3, ref a0, ref a1, ref a2, ref a3);
            var scale = TWide.Halves(w);
            t0 = Finish(a0, s0, scale, t0);
            t1 = Finish(a1, s1, scale, t1);
            t2 = Finish(a2, s2, scale, t2);
            t3 = Finish(a3, s3, scale, t3);
            w += (TCodes.CodeBytes + 2) * TWide.Rows;
            x0 += 32;
            x1 += 32;
            x2 += 32;
            x3 += 32;
            s0++;
            s1++;
            s2++;
            s3++;
        }

        PanelOutput<TWide, TVector>.Put(in task, token, row, t0);
        PanelOutput<TWide, TVector>.Put(in task, token + 1, row, t1);
        PanelOutput<TWide, TVector>.Put(in task, token + 2, row, t2);
        PanelOutput<TWide, TVector>.Put(in task, token + 3, row, t3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(byte* codes, int pair, sbyte* x0, sbyte* x1, sbyte* x2, sbyte* x3, ref TVector a0, ref TVector a1, ref TVector a2, ref TVector a3)
    {
        TCodes.Load<TWide, TVector>(codes, pair, out var low, out var high);
        var magnitude = TWide.Magnitude(low);
        a0 = Add(magnitude, low, x0 + (4 * pair), a0);
        a1 = Add(magnitude, low, x1 + (4 * pair), a1);
        a2 = Add(magnitude, low, x2 + (4 * pair), a2);
        a3 = Add(magnitude, low, x3 + (4 * pair), a3);
        magnitude = TWide.Magnitude(high);
        a0 = Add(magnitude, high, x0 + 16 + (4 * pair), a0);
        a1 = Add(magnitude, high, x1 + 16 + (4 * pair), a1);
        a2 = Add(magnitude, high, x2 + 16 + (4 * pair), a2);
        a3 = Add(magnitude, high, x3 + 16 + (4 * pair), a3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Add(TVector magnitude, TVector w, sbyte* x, TVector sum) => TWide.Add32(
        sum, TWide.MultiplyShorts(TWide.MultiplyBytes(magnitude, TWide.WithSign(TWide.Broadcast(x), w)), TWide.Fill16(1)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Finish(TVector sum, ActivationScale* s, TVector scale, TVector total) =>
        TWide.MultiplyAdd(TWide.ToFloat(sum), TWide.Multiply(scale, TWide.Broadcast(&s->Scale)), total);
}
