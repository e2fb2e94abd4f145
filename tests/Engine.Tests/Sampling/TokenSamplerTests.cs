using CsCheck;
using Slm.Engine.Sampling;

namespace Slm.Engine.Tests.Sampling;

public sealed class TokenSamplerTests
{
    private static readonly Gen<float[]> Logits = Gen.OneOf(
        Gen.Float[-8, 8].Array[2, 80],
        Gen.Int[0, 4].Select(i => (float)i).Array[2, 40]);

    private static readonly Gen<SamplingOptions> Truncations = Gen.Select(
        Gen.Float[0.05f, 3], Gen.Int[0, 30], Gen.OneOf(Gen.Const(1f), Gen.Float[0.01f, 1]), Gen.OneOf(Gen.Const(0f), Gen.Float[0, 0.99f]),
        (temperature, topK, topP, minP) => new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP });

    [Fact]
    public void Truncation_keeps_what_the_definitions_keep() => Gen.Select(Logits, Truncations).Sample((logits, options) =>
    {
        var (kept, total) = new TokenSampler().Truncate(logits, options);
        var expected = Reference(logits, options);
        Assert.Equal(expected.Select(t => t.Id), kept.ToArray());
        Assert.Equal(expected.Sum(t => t.Weight), total, 1e-9 * total);
    });

    [Fact]
    public void Draws_follow_the_exact_distribution()
    {
        float[] logits = [1.5f, -0.5f, 0.25f, 2, 0, -3, 1, 0.75f, -1];
        SamplingOptions[] cases =
        [
            new(),
            new() { Temperature = 0.6f },
            new() { Temperature = 1.7f, TopK = 4 },
            new() { TopP = 0.8f },
            new() { MinP = 0.15f, Temperature = 1.3f },
            new() { TopK = 7, TopP = 0.9f, MinP = 0.1f },
        ];
        foreach (var options in cases)
        {
            const int Draws = 40_000;
            var counts = new int[logits.Length];
            var sampler = new TokenSampler();
            for (var position = 0; position < Draws; position++)
                counts[sampler.Sample(logits, options, 20240607, position, null)]++;

            var expected = Reference(logits, options);
            var total = expected.Sum(t => t.Weight);
            Assert.Equal(Draws, expected.Sum(t => counts[t.Id]));
            var chi = expected.Sum(t => Math.Pow(counts[t.Id] - Draws * t.Weight / total, 2) / (Draws * t.Weight / total));

            // Mean n-1, variance 2(n-1): four standard deviations above is far beyond 99.9 %.
            var freedom = expected.Count - 1;
            Assert.InRange(chi, 0, freedom + 4 * Math.Sqrt(2 * freedom) + 4);
        }
    }

    [Fact]
    public void A_draw_depends_on_seed_and_position_only() =>
        Gen.Select(Logits, Truncations, Gen.ULong, Gen.Int[0, 100_000]).Sample((logits, options, seed, position) =>
        {
            var used = new TokenSampler();
            for (var i = 0; i < 3; i++)
                used.Sample(logits, options, seed + 1, i, null);
            Assert.Equal(new TokenSampler().Sample(logits, options, seed, position, null), used.Sample(logits, options, seed, position, null));
        });

    [Fact]
    public void Different_positions_and_seeds_give_different_draws()
    {
        var logits = new float[1000];
        var sampler = new TokenSampler();
        var options = new SamplingOptions();
        var byPosition = Enumerable.Range(0, 50).Select(p => sampler.Sample(logits, options, 1, p, null)).ToHashSet();
        var bySeed = Enumerable.Range(0, 50).Select(s => sampler.Sample(logits, options, (ulong)s, 1, null)).ToHashSet();
        Assert.True(byPosition.Count > 40 && bySeed.Count > 40);
    }

    [Fact]
    public void Temperature_zero_takes_the_lowest_id_of_the_largest()
    {
        float[] logits = [0, 3, 1, 3, 3];
        Assert.Equal(1, new TokenSampler().Sample(logits, new SamplingOptions { Temperature = 0 }, 9, 9, null));
        var biased = new SamplingOptions { Temperature = 0, LogitBias = new Dictionary<int, float> { [3] = 0.5f } };
        Assert.Equal(3, new TokenSampler().Sample(logits, biased, 9, 9, null));
    }

    [Fact]
    public void The_least_temperature_and_extreme_logits_do_not_overflow()
    {
        float[] logits = [3e38f, -3e38f, 2.9e38f, 0, 0, 0, 0, 0, 0, 0];
        foreach (var options in new SamplingOptions[] { new() { Temperature = float.Epsilon }, new() { Temperature = float.Epsilon, TopP = 0.9f }, new() })
            Assert.Equal(0, new TokenSampler().Sample(logits, options, 5, 5, null));
    }

    [Fact]
    public void Penalties_change_the_logits_as_defined()
    {
        var counts = new TokenCounts();
        counts.AddPrompt([0, 1]);
        counts.AddGenerated(2);
        counts.AddGenerated(2);
        counts.AddGenerated(1);
        float[] logits = [2, -2, 4, 1];
        TokenSampler.Adjust(logits, new SamplingOptions
        {
            RepetitionPenalty = 2,
            PresencePenalty = 0.5f,
            FrequencyPenalty = 0.25f,
            LogitBias = new Dictionary<int, float> { [3] = 1, [0] = 2 },
        }, counts);

        // 0: biased to 4, seen in the prompt; 1: in prompt and answer; 2: twice in the answer; 3: biased only.
        Assert.Equal([4 / 2f, -2 * 2 - 0.5f - 0.25f, 4 / 2f - 0.5f - 2 * 0.25f, 2], logits);
    }

    [Fact]
    public void Sampling_leaves_the_models_logits_alone()
    {
        float[] logits = [1, 2, 3];
        new TokenSampler().Sample(logits, new SamplingOptions { LogitBias = new Dictionary<int, float> { [0] = 5 } }, 1, 1, null);
        Assert.Equal([1f, 2f, 3f], logits);
    }

    /// <summary>The definitions, one after the other, on a sorted list.</summary>
    private static List<(int Id, double Weight)> Reference(float[] logits, SamplingOptions options)
    {
        var max = logits.Max();
        var tokens = Enumerable.Range(0, logits.Length)
            .Select(id => (Id: id, Weight: Math.Exp(((double)logits[id] - max) / options.Temperature)))
            .OrderByDescending(t => logits[t.Id]).ThenBy(t => t.Id).ToList();
        if (options.TopK > 0)
            tokens = [.. tokens.Take(options.TopK)];
        var total = tokens.Sum(t => t.Weight);
        if (options.TopP < 1)
        {
            var sum = 0.0;
            tokens = [.. tokens.TakeWhile(t => (sum += t.Weight) - t.Weight < options.TopP * total || t.Id == tokens[0].Id)];
        }

        return [.. tokens.Where(t => t.Weight >= options.MinP * tokens[0].Weight)];
    }
}
