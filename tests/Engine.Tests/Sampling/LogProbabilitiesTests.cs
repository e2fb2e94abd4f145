using CsCheck;
using Slm.Engine.Sampling;

namespace Slm.Engine.Tests.Sampling;

public sealed class LogProbabilitiesTests
{
    private static readonly Gen<float[]> Logits = Gen.Float[-30, 30].Array[1, 300];

    [Fact]
    public void Values_agree_with_log_softmax_in_decimal_order() => Logits.Sample(logits =>
    {
        var max = logits.Max();
        var expected = max + Math.Log(logits.Sum(l => Math.Exp((double)l - max)));
        Assert.Equal(expected, LogProbabilities.LogSumExp(logits), 1e-12 * Math.Max(1, Math.Abs(expected)));
        Assert.Equal(1, logits.Sum(l => Math.Exp(LogProbabilities.Of(l, expected))), 1e-5);
    });

    [Fact]
    public void The_top_list_is_the_sorted_head_of_all_and_holds_the_same_bits() =>
        Gen.Select(Gen.OneOf(Logits, Gen.Int[0, 5].Select(i => (float)i).Array[1, 60]), Gen.Int[0, 20]).Sample((logits, count) =>
        {
            var normalizer = LogProbabilities.LogSumExp(logits);
            var top = LogProbabilities.Top(logits, normalizer, count);
            var expected = Enumerable.Range(0, logits.Length)
                .Select(id => new TokenProbability(id, LogProbabilities.Of(logits[id], normalizer)))
                .OrderByDescending(t => logits[t.TokenId]).ThenBy(t => t.TokenId).Take(count)
                .OrderByDescending(t => t.LogProb).ThenBy(t => t.TokenId);
            Assert.Equal(expected, top);
            if (count > 0)
                Assert.Equal(LogProbabilities.Of(logits[LogProbabilities.ArgMax(logits)], normalizer), top[0].LogProb);
        });

    [Fact]
    public void The_largest_of_equals_is_the_lowest_id() =>
        Gen.Int[0, 3].Select(i => (float)i).Array[1, 100].Sample(logits =>
            Assert.Equal(Array.IndexOf(logits, logits.Max()), LogProbabilities.ArgMax(logits)));

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Broken_logits_are_refused(float value)
    {
        var logits = new float[37];
        logits[20] = value;
        Assert.Throws<InvalidLogitsException>(() => LogProbabilities.LogSumExp(logits));
        Assert.Throws<InvalidLogitsException>(() => LogProbabilities.ArgMax(logits));
        Assert.Throws<InvalidLogitsException>(() => new TokenSampler().Sample(logits, new SamplingOptions(), 1, 0, null));
    }

    [Fact]
    public void A_forbidden_token_has_no_share()
    {
        float[] logits = [0, float.NegativeInfinity, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(Math.Log(8), LogProbabilities.LogSumExp(logits), 1e-14);
    }
}
