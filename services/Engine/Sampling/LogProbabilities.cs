using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Sampling;

/// <summary>
/// Log-probabilities of the unmodified distribution: log softmax of the logits as the model gave them, before bias,
/// penalties, temperature and truncation. The normalizer is summed in double precision in one fixed order, and every
/// value comes from the same expression, so a token's log-probability and its entry among the top ones are the same bits.
/// </summary>
public static class LogProbabilities
{
    /// <summary>log Σ exp(logit), accumulated in double over eight fixed lanes.</summary>
    /// <exception cref="InvalidLogitsException">A logit is NaN or positive infinity, or none is finite.</exception>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        var max = Max(logits);
        var shift = Vector256.Create((double)max);
        Vector256<double> low = default, high = default;
        var i = 0;
        for (; i + 8 <= logits.Length; i += 8)
        {
            var (a, b) = Vector256.Widen(Vector256.Create(logits.Slice(i, 8)));
            low += Vector256.Exp(a - shift);
            high += Vector256.Exp(b - shift);
        }

        var sum = Vector256.Sum(low + high);
        for (; i < logits.Length; i++)
            sum += Math.Exp(logits[i] - (double)max);
        return max + Math.Log(sum);
    }

    /// <summary>The log-probability of a token, from its logit.</summary>
    public static float Of(float logit, double logSumExp) => (float)(logit - logSumExp);

    /// <summary>The token with the largest logit; of equals the lowest id.</summary>
    /// <exception cref="InvalidLogitsException">A logit is NaN or positive infinity, or none is finite.</exception>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        var max = Max(logits);
        var wanted = Vector256.Create(max);
        var i = 0;
        for (; i + 8 <= logits.Length; i += 8)
        {
            var equal = Vector256.Equals(Vector256.Create(logits.Slice(i, 8)), wanted).ExtractMostSignificantBits();
            if (equal != 0)
                return i + BitOperations.TrailingZeroCount(equal);
        }

        while (logits[i] != max)
            i++;
        return i;
    }

    /// <summary>The most probable tokens, most probable first; of equals the lower id first.</summary>
    public static TokenProbability[] Top(ReadOnlySpan<float> logits, double logSumExp, int count)
    {
        count = Math.Min(count, logits.Length);
        if (count == 0)
            return [];
        Span<int> ids = stackalloc int[count];
        var filled = 0;
        var bar = float.NegativeInfinity;
        for (var id = 0; id < logits.Length; id++)
        {
            var logit = logits[id];
            if (filled == count && !(logit > bar))
                continue;
            var slot = filled < count ? filled++ : count - 1;
            for (; slot > 0 && logits[ids[slot - 1]] < logit; slot--)
                ids[slot] = ids[slot - 1];
            ids[slot] = id;
            bar = logits[ids[filled - 1]];
        }

        var top = new TokenProbability[count];
        for (var i = 0; i < count; i++)
            top[i] = new TokenProbability(ids[i], Of(logits[ids[i]], logSumExp));

        // Different logits may round to one log-probability: then the ids decide.
        Array.Sort(top, static (a, b) => a.LogProb != b.LogProb ? b.LogProb.CompareTo(a.LogProb) : a.TokenId.CompareTo(b.TokenId));
        return top;
    }

    /// <summary>The largest logit.</summary>
    /// <exception cref="InvalidLogitsException">A logit is NaN or positive infinity, or none is finite.</exception>
    internal static float Max(ReadOnlySpan<float> logits)
    {
        var max = logits.IsEmpty ? float.NaN : TensorPrimitives.Max(logits);
        RequireFinite(max);
        return max;
    }

    private static void RequireFinite(float max)
    {
        if (!float.IsFinite(max))
            throw new InvalidLogitsException($"The model gave logits whose largest is {max}: the weights or the computation are broken.");
    }
}
