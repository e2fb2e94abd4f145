using System.Runtime.CompilerServices;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels.Panels;

/// <summary>A panel format of 256 columns with a small integer scale for every 16: weight = d · scale · (code - offset) - m · minimum.</summary>
internal interface IGroupedPanel
{
    /// <summary>Bits of a code: 2, or 3 with an offset of 4, or 6 with an offset of 32.</summary>
    static abstract int Bits { get; }

    /// <summary>Scale bytes hold an unsigned scale in the lower and a minimum in the upper nibble.</summary>
    static abstract bool HasMinimum { get; }
}

internal readonly struct Q2KPanel : IGroupedPanel
{
    public static int Bits => 2;

    public static bool HasMinimum => true;
}

internal readonly struct Q3KPanel : IGroupedPanel
{
    public static int Bits => 3;

    public static bool HasMinimum => false;
}

internal readonly struct Q6KPanel : IGroupedPanel
{
    public static int Bits => 6;

    public static bool HasMinimum => false;
}

/// <summary>
/// Matrix product of such panels with int8 activations. The integer scales are applied to exact sums in 16 bits (two
/// products of 6-bit codes: 2 · 2 · 63 · 127 = 32004), so the sum over 32 columns is an exact integer too; these times
/// both scales are added in order of the columns with one rounding each.
/// </summary>
internal static unsafe class GroupedPanelProduct<TWide, TVector, TFormat>
    where TWide : struct, IWide<TVector>
    where TVector : struct
    where TFormat : struct, IGroupedPanel
{
    private static int LowBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TFormat.Bits == 6 ? 16 : 8) * TWide.Rows;
    }

    private static int GroupBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (2 * TWide.Rows) + LowBytes + ((TFormat.Bits == 6 ? 8 : TFormat.Bits == 3 ? 4 : 0) * TWide.Rows);
    }

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
        TVector total = default, d = default, m = default;
        for (nint b = 0; b < blocks; b++, x += 32, s++)
        {
            w = Header(w, b, ref d, ref m);
            Scales(w, out var pairs, out var minimums, out var offsets);
            var (first, last) = (TWide.LowerTwice(pairs), TWide.UpperTwice(pairs));
            var codes = w + (2 * TWide.Rows);
            TVector sum = default;
            Load(codes, 0, out var a, out var c);
            sum = Add(a, c, x, first, sum);
            Load(codes, 1, out a, out c);
            sum = Add(a, c, x + 8, first, sum);
            Load(codes, 2, out a, out c);
            sum = Add(a, c, x + 16, last, sum);
            Load(codes, 3, out a, out c);
            sum = Add(a, c, x + 24, last, sum);
            total = Finish(sum, s, d, m, minimums, offsets, total);
            w += GroupBytes;
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
        TVector t0 = default, t1 = default, t2 = default, t3 = default, d = default, m = default;
        for (nint b = 0; b < blocks; b++)
        {
            w = Header(w, b, ref d, ref m);
            Scales(w, out var pairs, out var minimums, out var offsets);
            var codes = w + (2 * TWide.Rows);
            if (isFirst)
                WeightsAhead.Fetch(w, GroupBytes);
            TVector i0 = default, i1 = default, i2 = default, i3 = default;
            var twice = TWide.LowerTwice(pairs);
            Load(codes, 0, out var a, out var c);
            i0 = Add(a, c, x0, twice, i0);
            i1 = Add(a, c, x1, twice, i1);
            i2 = Add(a, c, x2, twice, i2);
            i3 = Add(a, c, x3, twice, i3);
            Load(codes, 1, out a, out c);
            i0 = Add(a, c, x0 + 8, twice, i0);
            i1 = Add(a, c, x1 + 8, twice, i1);
            i2 = Add(a, c, x2 + 8, twice, i2);
            i3 = Add(a, c, x3 + 8, twice, i3);
            twice = TWide.UpperTwice(pairs);
            Load(codes, 2, out a, out c);
            i0 = Add(a, c, x0 + 16, twice, i0);
            i1 = Add(a, c, x1 + 16, twice, i1);
            i2 = Add(a, c, x2 + 16, twice, i2);
            i3 = Add(a, c, x3 + 16, twice, i3);
            Load(codes, 3, out a, out c);
            i0 = Add(a, c, x0 + 24, twice, i0);
            i1 = Add(a, c, x1 + 24, twice, i1);
            i2 = Add(a, c, x2 + 24, twice, i2);
            i3 = Add(a, c, x3 + 24, twice, i3);
            t0 = Finish(i0, s0, d, m, minimums, offsets, t0);
            t1 = Finish(i1, s1, d, m, minimums, offsets, t1);
            t2 = Finish(i2, s2, d, m, minimums, offsets, t2);
            t3 = Finish(i3, s3, d, m, minimums, offsets, t3);
            w += GroupBytes;
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
    private static byte* Header(byte* w, nint block, ref TVector d, ref TVector m)
    {
        if ((block & 7) != 0)
            return w;
        d = TWide.Halves(w);
        if (!TFormat.HasMinimum)
            return w + (2 * TWide.Rows);
        m = TWide.Multiply(TWide.Halves(w + (2 * TWide.Rows)), TWide.FillFloat(-1));
        return w + (4 * TWide.Rows);
    }

    /// <summary>Scales of both halves as 16-bit pairs, and what they multiply the sums of the activations with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scales(byte* w, out TVector pairs, out TVector minimums, out TVector offsets)
    {
        pairs = TWide.SignedPairs(w);
        minimums = default;
        offsets = default;
        if (TFormat.HasMinimum)
        {
            minimums = TWide.And(TWide.ShiftRight(pairs, 4), TWide.Fill16(15));
            pairs = TWide.And(pairs, TWide.Fill16(15));
        }
        else
        {
            offsets = TWide.Subtract16(default, TFormat.Bits == 6 ? TWide.ShiftLeft(pairs, 5) : TWide.ShiftLeft(pairs, 2));
        }
    }

    /// <summary>Groups 2 · <paramref name="pair"/> and the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(byte* codes, int pair, out TVector a, out TVector b)
    {
        var two = TWide.Fill(3);
        if (TFormat.Bits == 6)
        {
            var nibbles = TWide.Fill(15);
            var first = TWide.Load(codes + (pair % 2 * 8 * TWide.Rows));
            var second = TWide.Load(codes + (((pair % 2 * 8) + 4) * TWide.Rows));
            if (pair >= 2)
            {
                first = TWide.ShiftRight(first, 4);
                second = TWide.ShiftRight(second, 4);
            }

            var high = TWide.Load(codes + LowBytes + (pair / 2 * 4 * TWide.Rows));
            if (pair % 2 == 1)
                high = TWide.ShiftRight(high, 4);
            a = TWide.Or(TWide.And(first, nibbles), TWide.ShiftLeft(TWide.And(high, two), 4));
            b = TWide.Or(TWide.And(second, nibbles), TWide.ShiftLeft(TWide.And(high, TWide.Fill(12)), 2));
            return;
        }

        var low = TWide.Load(codes + (pair / 2 * 4 * TWide.Rows));
        if (pair % 2 == 1)
            low = TWide.ShiftRight(low, 4);
        a = TWide.And(low, two);
        b = TWide.And(TWide.ShiftRight(low, 2), two);
        if (TFormat.Bits == 2)
            return;
        var bits = TWide.Load(codes + LowBytes);
        var third = TWide.Fill(4);
        switch (pair)
        {
            case 0:
                a = TWide.Or(a, TWide.And(TWide.ShiftLeft(bits, 2), third));
                b = TWide.Or(b, TWide.And(TWide.ShiftLeft(bits, 1), third));
                break;
            case 1:
                a = TWide.Or(a, TWide.And(bits, third));
                b = TWide.Or(b, TWide.And(TWide.ShiftRight(bits, 1), third));
                break;
            case 2:
                a = TWide.Or(a, TWide.And(TWide.ShiftRight(bits, 2), third));
                b = TWide.Or(b, TWide.And(TWide.ShiftRight(bits, 3), third));
                break;
            default:
                a = TWide.Or(a, TWide.And(TWide.ShiftRight(bits, 4), third));
                b = TWide.Or(b, TWide.And(TWide.ShiftRight(bits, 5), third));
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Add(TVector a, TVector b, sbyte* x, TVector scales, TVector sum) => TWide.Add32(sum, TWide.MultiplyShorts(
        TWide.Add16(TWide.MultiplyBytes(a, TWide.Broadcast(x)), TWide.MultiplyBytes(b, TWide.Broadcast(x + 4))), scales));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Finish(TVector sum, ActivationScale* s, TVector d, TVector m, TVector minimums, TVector offsets, TVector total)
    {
        var sums = TWide.Broadcast(&s->FirstSum);
        if (!TFormat.HasMinimum)
            sum = TWide.Add32(sum, TWide.MultiplyShorts(sums, offsets));
        var scale = TWide.Broadcast(&s->Scale);
        total = TWide.MultiplyAdd(TWide.ToFloat(sum), TWide.Multiply(d, scale), total);
        return TFormat.HasMinimum
            ? TWide.MultiplyAdd(TWide.ToFloat(TWide.MultiplyShorts(sums, minimums)), TWide.Multiply(m, scale), total)
            : total;
    }
}
