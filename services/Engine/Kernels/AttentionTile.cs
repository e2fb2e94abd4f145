using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels;

/// <summary>
/// One query head against one tile of 32 cached positions: online softmax (Milakov and Gimelshein 2018), as in
/// FlashAttention. Tiles begin at multiples of 32 and are taken in order, so the result depends on positions only,
/// never on how the prompt was cut.
/// </summary>
internal static unsafe class AttentionTile<TMath>
    where TMath : struct, IFloatMath
{
    /// <summary>Positions of a tile.</summary>
    public const int Positions = 32;

    /// <summary>Adds the tile to a head's state.</summary>
    /// <param name="query">[headSize].</param>
    /// <param name="keys">[headSize, 32]: transposed, so that scores need no sum across lanes.</param>
    /// <param name="values">[32, stride].</param>
    /// <param name="state">[0] largest score so far (starts at -∞), [1] sum of exponentials (starts at 0).</param>
    /// <param name="sums">[stride] weighted values so far (start at 0).</param>
    /// <param name="headSize">Elements per head.</param>
    /// <param name="stride">Head size rounded up to a multiple of 8.</param>
    /// <param name="count">Visible positions of the tile, 1 to 32.</param>
    /// <param name="scale">Factor of the scores.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* query, float* keys, float* values, float* state, float* sums, int headSize, int stride, int count, float scale)
    {
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (var d = 0; d < headSize; d++, keys += Positions)
        {
            var q = Vector256.Create(query[d]);
            s0 = TMath.MultiplyAdd(q, Vector256.Load(keys), s0);
            s1 = TMath.MultiplyAdd(q, Vector256.Load(keys + 8), s1);
            s2 = TMath.MultiplyAdd(q, Vector256.Load(keys + 16), s2);
            s3 = TMath.MultiplyAdd(q, Vector256.Load(keys + 24), s3);
        }

        var factor = Vector256.Create(scale);
        var lane = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
        var limit = Vector256.Create(count);
        var m0 = Vector256.LessThan(lane, limit).AsSingle();
        var m1 = Vector256.LessThan(lane + Vector256.Create(8), limit).AsSingle();
        var m2 = Vector256.LessThan(lane + Vector256.Create(16), limit).AsSingle();
        var m3 = Vector256.LessThan(lane + Vector256.Create(24), limit).AsSingle();
        var hidden = Vector256.Create(float.NegativeInfinity);
        s0 = Vector256.ConditionalSelect(m0, s0 * factor, hidden);
        s1 = Vector256.ConditionalSelect(m1, s1 * factor, hidden);
        s2 = Vector256.ConditionalSelect(m2, s2 * factor, hidden);
        s3 = Vector256.ConditionalSelect(m3, s3 * factor, hidden);

        var largest = Lanes.Max(Vector256.MaxNative(Vector256.MaxNative(s0, s1), Vector256.MaxNative(s2, s3)));
        if (largest > state[0])
        {
            var decay = Lanes.Exp<TMath>(Vector256.Create(state[0] - largest));
            state[0] = largest;
            state[1] *= decay.ToScalar();
            for (var i = 0; i < stride; i += Lanes.Count)
                (Vector256.Load(sums + i) * decay).Store(sums + i);
        }

        var top = Vector256.Create(state[0]);
        s0 = Lanes.Exp<TMath>(s0 - top) & m0;
        s1 = Lanes.Exp<TMath>(s1 - top) & m1;
        s2 = Lanes.Exp<TMath>(s2 - top) & m2;
        s3 = Lanes.Exp<TMath>(s3 - top) & m3;
        state[1] += Lanes.Sum((s0 + s1) + (s2 + s3));
        var weights = stackalloc float[Positions];
        s0.Store(weights);
        s1.Store(weights + 8);
        s2.Store(weights + 16);
        s3.Store(weights + 24);

        var column = 0;
        for (; column + 64 <= stride; column += 64)
            AddSixtyFour(weights, values + column, sums + column, stride, count);
        for (; column + 32 <= stride; column += 32)
            AddThirtyTwo(weights, values + column, sums + column, stride, count);
        for (; column < stride; column += Lanes.Count)
        {
            var a = Vector256.Load(sums + column);
            for (var p = 0; p < count; p++)
                a = TMath.MultiplyAdd(Vector256.Create(weights[p]), Vector256.Load(values + column + (p * (nint)stride)), a);
            a.Store(sums + column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSixtyFour(float* weights, float* values, float* sums, nint stride, int count)
    {
        var a0 = Vector256.Load(sums);
        var a1 = Vector256.Load(sums + 8);
        var a2 = Vector256.Load(sums + 16);
        var a3 = Vector256.Load(sums + 24);
        var a4 = Vector256.Load(sums + 32);
        var a5 = Vector256.Load(sums + 40);
        var a6 = Vector256.Load(sums + 48);
        var a7 = Vector256.Load(sums + 56);
        for (var p = 0; p < count; p++, values += stride)
        {
            var w = Vector256.Create(weights[p]);
            a0 = TMath.MultiplyAdd(w, Vector256.Load(values), a0);
            a1 = TMath.MultiplyAdd(w, Vector256.Load(values + 8), a1);
            a2 = TMath.MultiplyAdd(w, Vector256.Load(values + 16), a2);
            a3 = TMath.MultiplyAdd(w, Vector256.Load(values + 24), a3);
            a4 = TMath.MultiplyAdd(w, Vector256.Load(values + 32), a4);
            a5 = TMath.MultiplyAdd(w, Vector256.Load(values + 40), a5);
            a6 = TMath.MultiplyAdd(w, Vector256.Load(values + 48), a6);
            a7 = TMath.MultiplyAdd(w, Vector256.Load(values + 56), a7);
        }

        a0.Store(sums);
        a1.Store(sums + 8);
        a2.Store(sums + 16);
        a3.Store(sums + 24);
        a4.Store(sums + 32);
        a5.Store(sums + 40);
        a6.Store(sums + 48);
        a7.Store(sums + 56);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddThirtyTwo(float* weights, float* values, float* sums, nint stride, int count)
    {
        var a0 = Vector256.Load(sums);
        var a1 = Vector256.Load(sums + 8);
        var a2 = Vector256.Load(sums + 16);
        var a3 = Vector256.Load(sums + 24);
        for (var p = 0; p < count; p++, values += stride)
        {
            var w = Vector256.Create(weights[p]);
            a0 = TMath.MultiplyAdd(w, Vector256.Load(values), a0);
            a1 = TMath.MultiplyAdd(w, Vector256.Load(values + 8), a1);
            a2 = TMath.MultiplyAdd(w, Vector256.Load(values + 16), a2);
            a3 = TMath.MultiplyAdd(w, Vector256.Load(values + 24), a3);
        }

        a0.Store(sums);
        a1.Store(sums + 8);
        a2.Store(sums + 16);
        a3.Store(sums + 24);
    }
}
