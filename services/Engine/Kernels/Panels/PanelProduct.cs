using System.Runtime.CompilerServices;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels.Panels;

/// <summary>
/// Matrix product of panels of 4- and 5-bit codes with int8 activations. Each row has a lane of its own. The products of
/// 32 columns are summed exactly: in 16 bits as long as the range of the codes allows (8 · 2 · 15 · 127 = 30480 and
/// 4 · 2 · 31 · 127 = 31496), then in 32; the sums times both scales are added in order of the columns with one rounding each.
/// </summary>
internal static unsafe class PanelProduct<TWide, TVector, TFormat>
    where TWide : struct, IWide<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat
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
                for (; TWide.Rows == 16 && token + 8 <= last; token += 8)
                    Eight(in task, weights, row, token, token == first);
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
        TVector t = default, d = default, m = default;
        for (nint b = 0; b < blocks; b++, x += 32, s++)
        {
            w = Header(w, b, ref d, ref m);
            var scale = Scale(w, d);
            var minimum = Minimum(w, m);
            w += ScaleBytes;
            TVector a = default, sum = default;
            Load(w, 0, out var low, out var high);
            a = Add(low, high, x, a);
            Load(w, 1, out low, out high);
            a = Add(low, high, x + 4, a);
            Widen(ref a, ref sum);
            Load(w, 2, out low, out high);
            a = Add(low, high, x + 8, a);
            Load(w, 3, out low, out high);
            a = Add(low, high, x + 12, a);
            t = Finish(a, sum, s, scale, minimum, t);
            w += CodeBytes;
        }

        PanelOutput<TWide, TVector>.Put(in task, token, row, t);
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
            if (isFirst)
                WeightsAhead.Fetch(w, ScaleBytes + CodeBytes);
            var codes = w + ScaleBytes;
            TVector a0 = default, a1 = default, a2 = default, a3 = default;
            TVector i0 = default, i1 = default, i2 = default, i3 = default;
            Load(codes, 0, out var low, out var high);
            a0 = Add(low, high, x0, a0);
            a1 = Add(low, high, x1, a1);
            a2 = Add(low, high, x2, a2);
            a3 = Add(low, high, x3, a3);
            Load(codes, 1, out low, out high);
            a0 = Add(low, high, x0 + 4, a0);
            a1 = Add(low, high, x1 + 4, a1);
            a2 = Add(low, high, x2 + 4, a2);
            a3 = Add(low, high, x3 + 4, a3);
            Widen(ref a0, ref i0);
            Widen(ref a1, ref i1);
            Widen(ref a2, ref i2);
            Widen(ref a3, ref i3);
            Load(codes, 2, out low, out high);
            a0 = Add(low, high, x0 + 8, a0);
            a1 = Add(low, high, x1 + 8, a1);
            a2 = Add(low, high, x2 + 8, a2);
            a3 = Add(low, high, x3 + 8, a3);
            Load(codes, 3, out low, out high);
            a0 = Add(low, high, x0 + 12, a0);
            a1 = Add(low, high, x1 + 12, a1);
            a2 = Add(low, high, x2 + 12, a2);
            a3 = Add(low, high, x3 + 12, a3);
            var scale = Scale(w, d);
            var minimum = Minimum(w, m);
            t0 = Finish(a0, i0, s0, scale, minimum, t0);
            t1 = Finish(a1, i1, s1, scale, minimum, t1);
            t2 = Finish(a2, i2, s2, scale, minimum, t2);
            t3 = Finish(a3, i3, s3, scale, minimum, t3);
            w = codes + CodeBytes;
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

    /// <summary>Eight tokens, where there are registers for them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eight(in MatMulTask task, byte* w, int row, int token, bool isFirst)
    {
        nint blocks = task.Columns / 32;
        nint columns = task.Columns;
        var four = 4 * columns;
        var fourScales = 4 * blocks;
        var x0 = task.XInt8 + (token * columns);
        var x1 = x0 + columns;
        var x2 = x1 + columns;
        var x3 = x2 + columns;
        var s0 = task.XScales + (token * blocks);
        var s1 = s0 + blocks;
        var s2 = s1 + blocks;
        var s3 = s2 + blocks;
        TVector t0 = default, t1 = default, t2 = default, t3 = default, t4 = default, t5 = default, t6 = default, t7 = default;
        TVector d = default, m = default;
        for (nint b = 0; b < blocks; b++)
        {
            w = Header(w, b, ref d, ref m);
            if (isFirst)
                WeightsAhead.Fetch(w, ScaleBytes + CodeBytes);
            var codes = w + ScaleBytes;
            TVector a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
            TVector i0 = default, i1 = default, i2 = default, i3 = default, i4 = default, i5 = default, i6 = default, i7 = default;
            Load(codes, 0, out var low, out var high);
            a0 = Add(low, high, x0, a0);
            a1 = Add(low, high, x1, a1);
            a2 = Add(low, high, x2, a2);
            a3 = Add(low, high, x3, a3);
            a4 = Add(low, high, x0 + four, a4);
            a5 = Add(low, high, x1 + four, a5);
            a6 = Add(low, high, x2 + four, a6);
            a7 = Add(low, high, x3 + four, a7);
            Load(codes, 1, out low, out high);
            a0 = Add(low, high, x0 + 4, a0);
            a1 = Add(low, high, x1 + 4, a1);
            a2 = Add(low, high, x2 + 4, a2);
            a3 = Add(low, high, x3 + 4, a3);
            a4 = Add(low, high, x0 + four + 4, a4);
            a5 = Add(low, high, x1 + four + 4, a5);
            a6 = Add(low, high, x2 + four + 4, a6);
            a7 = Add(low, high, x3 + four + 4, a7);
            Widen(ref a0, ref i0);
            Widen(ref a1, ref i1);
            Widen(ref a2, ref i2);
            Widen(ref a3, ref i3);
            Widen(ref a4, ref i4);
            Widen(ref a5, ref i5);
            Widen(ref a6, ref i6);
            Widen(ref a7, ref i7);
            Load(codes, 2, out low, out high);
            a0 = Add(low, high, x0 + 8, a0);
            a1 = Add(low, high, x1 + 8, a1);
            a2 = Add(low, high, x2 + 8, a2);
            a3 = Add(low, high, x3 + 8, a3);
            a4 = Add(low, high, x0 + four + 8, a4);
            a5 = Add(low, high, x1 + four + 8, a5);
            a6 = Add(low, high, x2 + four + 8, a6);
            a7 = Add(low, high, x3 + four + 8, a7);
            Load(codes, 3, out low, out high);
            a0 = Add(low, high, x0 + 12, a0);
            a1 = Add(low, high, x1 + 12, a1);
            a2 = Add(low, high, x2 + 12, a2);
            a3 = Add(low, high, x3 + 12, a3);
            a4 = Add(low, high, x0 + four + 12, a4);
            a5 = Add(low, high, x1 + four + 12, a5);
            a6 = Add(low, high, x2 + four + 12, a6);
            a7 = Add(low, high, x3 + four + 12, a7);
            var scale = Scale(w, d);
            var minimum = Minimum(w, m);
            t0 = Finish(a0, i0, s0, scale, minimum, t0);
            t1 = Finish(a1, i1, s1, scale, minimum, t1);
            t2 = Finish(a2, i2, s2, scale, minimum, t2);
            t3 = Finish(a3, i3, s3, scale, minimum, t3);
            t4 = Finish(a4, i4, s0 + fourScales, scale, minimum, t4);
            t5 = Finish(a5, i5, s1 + fourScales, scale, minimum, t5);
            t6 = Finish(a6, i6, s2 + fourScales, scale, minimum, t6);
            t7 = Finish(a7, i7, s3 + fourScales, scale, minimum, t7);
            w = codes + CodeBytes;
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
        PanelOutput<TWide, TVector>.Put(in task, token + 4, row, t4);
        PanelOutput<TWide, TVector>.Put(in task, token + 5, row, t5);
        PanelOutput<TWide, TVector>.Put(in task, token + 6, row, t6);
        PanelOutput<TWide, TVector>.Put(in task, token + 7, row, t7);
    }

    private static int ScaleBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TFormat.Nested ? 2 : TFormat.HasMinimum ? 4 : 2) * TWide.Rows;
    }

    private static int CodeBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (TFormat.FifthBit ? 20 : 16) * TWide.Rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Header(byte* w, nint block, ref TVector d, ref TVector m)
    {
        if (!TFormat.Nested || (block & 7) != 0)
            return w;
        d = TWide.Halves(w);
        m = TWide.Multiply(TWide.Halves(w + (2 * TWide.Rows)), TWide.FillFloat(-1));
        return w + (4 * TWide.Rows);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Scale(byte* w, TVector d) => TFormat.Nested ? TWide.Multiply(TWide.Bytes(w), d) : TWide.Halves(w);

    /// <summary>The minimum, negated where the format subtracts it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Minimum(byte* w, TVector m)
    {
        if (!TFormat.HasMinimum)
            return default;
        return TFormat.Nested ? TWide.Multiply(TWide.Bytes(w + TWide.Rows), m) : TWide.Halves(w + (2 * TWide.Rows));
    }

    /// <summary>Groups <paramref name="pair"/> (first 16 columns) and pair + 4 (last 16).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(byte* codes, int pair, out TVector low, out TVector high)
    {
        var packed = TWide.Load(codes + (pair * 4 * TWide.Rows));
        var mask = TWide.Fill(15);
        low = TWide.And(packed, mask);
        high = TWide.And(TWide.ShiftRight(packed, 4), mask);
        if (!TFormat.FifthBit)
            return;
        var fifth = TWide.Load(codes + (16 * TWide.Rows));
        var bit = TWide.Fill(16);
        switch (pair)
        {
            case 0:
                low = TWide.Or(low, TWide.And(TWide.ShiftLeft(fifth, 4), bit));
                high = TWide.Or(high, TWide.And(fifth, bit));
                break;
            case 1:
                low = TWide.Or(low, TWide.And(TWide.ShiftLeft(fifth, 3), bit));
                high = TWide.Or(high, TWide.And(TWide.ShiftRight(fifth, 1), bit));
                break;
            case 2:
                low = TWide.Or(low, TWide.And(TWide.ShiftLeft(fifth, 2), bit));
                high = TWide.Or(high, TWide.And(TWide.ShiftRight(fifth, 2), bit));
                break;
            default:
                low = TWide.Or(low, TWide.And(TWide.ShiftLeft(fifth, 1), bit));
                high = TWide.Or(high, TWide.And(TWide.ShiftRight(fifth, 3), bit));
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Add(TVector low, TVector high, sbyte* x, TVector sum)
    {
        sum = TWide.Add16(sum, TWide.MultiplyBytes(low, TWide.Broadcast(x)));
        return TWide.Add16(sum, TWide.MultiplyBytes(high, TWide.Broadcast(x + 16)));
    }

    /// <summary>Half way through five-bit codes, before 16 bits overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(ref TVector a, ref TVector sum)
    {
        if (!TFormat.FifthBit)
            return;
        sum = TWide.MultiplyShorts(a, TWide.Fill16(1));
        a = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Finish(TVector a, TVector sum, ActivationScale* s, TVector scale, TVector minimum, TVector total)
    {
        a = TWide.MultiplyShorts(a, TWide.Fill16(1));
        if (TFormat.FifthBit)
            a = TWide.Add32(a, sum);
        if (TFormat.Offset != 0)
            a = TWide.Add32(a, TWide.Broadcast(&s->MinusEightSums));
        if (TFormat.Offset == 16)
            a = TWide.Add32(a, TWide.Broadcast(&s->MinusEightSums));
        total = TWide.MultiplyAdd(TWide.ToFloat(a), TWide.Multiply(scale, TWide.Broadcast(&s->Scale)), total);
        if (!TFormat.HasMinimum)
            return total;
        return TWide.MultiplyAdd(minimum, TWide.Broadcast(&s->ScaledSum), total);
    }
}
