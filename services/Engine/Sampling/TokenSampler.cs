using System.Runtime.Intrinsics;

namespace Slm.Engine.Sampling;

/// <summary>
/// Chooses the next token. The chain, in this order:
/// <list type="number">
/// <item>logit bias: added to the logit;</item>
/// <item>repetition penalty over prompt and answer: positive logits are divided by it, others multiplied (Keskar et al. 2019, CTRL);</item>
/// <item>presence and frequency penalties over the answer: logit -= presence + frequency · occurrences;</item>
/// <item>constraint: logits of tokens that may not come are minus infinity;</item>
/// <item>temperature: logits divided by it; 0 takes the largest logit, of equals the lowest id, and ends the chain;</item>
/// <item>top-k: the k largest;</item>
/// <item>top-p: the shortest run of the most probable whose share of what top-k left reaches p, including the token that
/// crosses it, so at least one (Holtzman et al. 2020);</item>
/// <item>min-p: of these, tokens with at least min-p times the probability of the most probable one;</item>
/// <item>a categorical draw among what is left, with the number <see cref="CounterRandom"/> gives for (seed, position).</item>
/// </list>
/// The sampler keeps scratch memory but no state: the choice is a function of logits, options, tokens so far, seed and position.
/// Not thread-safe.
/// </summary>
public sealed class TokenSampler
{
    private readonly CandidateHeap _heap = new();
    private float[] _logits = [];
    private double[] _weights = [];
    private int[] _kept = [];

    /// <summary>Chooses a token.</summary>
    /// <param name="logits">As the model gave them, [vocabulary]; not changed.</param>
    /// <param name="options">Validated options.</param>
    /// <param name="seed">Key of the draws.</param>
    /// <param name="position">Position the token will have in its sequence, from 0.</param>
    /// <param name="counts">Tokens so far; may be null where no penalty is set.</param>
    /// <param name="allowed">Bit i of word w: token 64·w + i may come; empty: all may.</param>
    /// <exception cref="InvalidLogitsException">The logits are no distribution.</exception>
    public int Sample(ReadOnlySpan<float> logits, SamplingOptions options, ulong seed, long position, TokenCounts? counts, ReadOnlySpan<ulong> allowed = default)
    {
        var adjusted = Adjusts(options);
        if (options.Temperature == 0 && !adjusted && allowed.IsEmpty)
            return LogProbabilities.ArgMax(logits);

        Grow(logits.Length);
        var work = _logits.AsSpan(0, logits.Length);
        logits.CopyTo(work);
        if (adjusted)
            Adjust(work, options, counts);
        Restrict(work, allowed);
        return options.Temperature == 0 ? LogProbabilities.ArgMax(work) : Draw(work, options, CounterRandom.Uniform(seed, position));
    }

    /// <summary>Leaves only some tokens.</summary>
    internal static void Restrict(Span<float> logits, ReadOnlySpan<ulong> allowed)
    {
        for (var w = 0; w < allowed.Length; w++)
        {
            var word = allowed[w];
            if (word == ulong.MaxValue)
                continue;
            var part = logits.Slice(64 * w, Math.Min(64, logits.Length - 64 * w));
            if (word == 0)
            {
                part.Fill(float.NegativeInfinity);
                continue;
            }

            for (var i = 0; i < part.Length; i++)
            {
                if ((word >> i & 1) == 0)
                    part[i] = float.NegativeInfinity;
            }
        }
    }

    /// <summary>True if the penalties need <see cref="TokenCounts"/>.</summary>
    public static bool NeedsCounts(SamplingOptions options) =>
        options.RepetitionPenalty != 1 || options.PresencePenalty != 0 || options.FrequencyPenalty != 0;

    /// <summary>Bias and penalties, in place.</summary>
    internal static void Adjust(Span<float> logits, SamplingOptions options, TokenCounts? counts)
    {
        foreach (var (id, bias) in options.LogitBias)
            logits[id] += bias;
        if (counts is null)
            return;
        var repetition = options.RepetitionPenalty;
        if (repetition != 1)
        {
            foreach (var id in counts.SeenTokens)
                logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
        }

        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0)
        {
            foreach (var (id, count) in counts.GeneratedTokens)
                logits[id] -= options.PresencePenalty + options.FrequencyPenalty * count;
        }
    }

    /// <summary>Tokens that survive the truncation, most probable first, and their unnormalized weights.</summary>
    /// <remarks>Weights are exp((logit - max) / temperature) in double, so that no temperature overflows.</remarks>
    internal (ReadOnlyMemory<int> Ids, double Total) Truncate(ReadOnlySpan<float> logits, SamplingOptions options)
    {
        Grow(logits.Length);
        if (!logits.Overlaps(_logits))
            logits.CopyTo(_logits);
        var max = (double)LogProbabilities.Max(logits);
        double Weight(int id) => Math.Exp((_logits[id] - max) / options.Temperature);

        // Weights below exp(-8) of the largest rarely matter.
        _heap.Fill(_logits, logits.Length, (float)(max - 8 * options.Temperature));
        var kept = 0;
        double total = 0;
        if (options.TopK > 0 && options.TopK < logits.Length)
        {
            while (kept < options.TopK)
            {
                var id = _heap.Pop();
                _kept[kept++] = id;
                total += _weights[id] = Weight(id);
            }
        }
        else
        {
            total = FillWeights(logits, max, options.Temperature);
        }

        // Largest first: where top-k has not already taken them, tokens come off the heap only as long as they are wanted.
        var limit = kept > 0 ? kept : logits.Length;
        var target = options.TopP * total;
        double sum = 0;
        var count = 0;
        while (count < limit)
        {
            var id = kept > 0 ? _kept[count] : _heap.Pop();
            if (count > 0 && ((options.TopP < 1 && sum >= target) || _weights[id] < options.MinP * _weights[_kept[0]]))
                break;
            _kept[count++] = id;
            sum += _weights[id];
        }

        return (_kept.AsMemory(0, count), sum);
    }

    private int Draw(ReadOnlySpan<float> logits, SamplingOptions options, double uniform)
    {
        if (options.TopP < 1 || options.MinP > 0 || (options.TopK > 0 && options.TopK < logits.Length))
        {
            var (kept, total) = Truncate(logits, options);
            var ids = kept.Span;
            var rest = uniform * total;
            foreach (var id in ids)
            {
                rest -= _weights[id];
                if (rest < 0)
                    return id;
            }

            return ids[0];
        }

        var target = uniform * FillWeights(logits, LogProbabilities.Max(logits), options.Temperature);
        double sum = 0;
        var last = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (_weights[id] == 0)
                continue;
            last = id;
            sum += _weights[id];
            if (sum > target)
                return id;
        }

        return last;
    }

    /// <summary>Weights of all tokens; returns their sum, added in order of id.</summary>
    private double FillWeights(ReadOnlySpan<float> logits, double max, double temperature)
    {
        var shift = Vector256.Create(max);
        var scale = Vector256.Create(temperature);
        var i = 0;
        for (; i + 8 <= logits.Length; i += 8)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(logits.Slice(i, 8)));
            Vector256.Exp((low - shift) / scale).CopyTo(_weights, i);
            Vector256.Exp((high - shift) / scale).CopyTo(_weights, i + 4);
        }

        for (; i < logits.Length; i++)
            _weights[i] = Math.Exp((logits[i] - max) / temperature);
        double sum = 0;
        for (i = 0; i < logits.Length; i++)
            sum += _weights[i];
        return sum;
    }

    private static bool Adjusts(SamplingOptions options) => options.LogitBias.Count > 0 || NeedsCounts(options);

    private void Grow(int vocabulary)
    {
        if (_logits.Length >= vocabulary)
            return;
        _logits = new float[vocabulary];
        _weights = new double[vocabulary];
        _kept = new int[vocabulary];
    }
}
