using Slm.Engine.Experts;

namespace Slm.Engine.Tests.Experts;

public sealed class ExpertPolicyTests
{
    private const int Layers = 6;
    private const int Experts = 16;
    private const int Used = 3;

    [Fact]
    public void The_expert_worth_least_gives_up_its_slot_unless_it_is_held()
    {
        var policy = new RecencyPolicy(2, 4);
        var slots = new ExpertSlots(2, 4, 3, policy);
        foreach (var (layer, expert) in new[] { (0, 1), (1, 1), (1, 3) })
        {
            policy.Enter(layer, 1);
            policy.Used(layer, expert, 1);
            Assert.NotEqual(ExpertSlots.None, slots.Take(layer, expert));
        }

        var oldest = slots.Find(0, 1);
        slots.Hold(oldest);
        var second = slots.Find(1, 1);
        Assert.Equal(second, slots.Take(0, 2));
        Assert.Equal(ExpertSlots.None, slots.Find(1, 1));
        Assert.Equal(oldest, slots.Find(0, 1));
        slots.Hold(second);
        slots.Hold(slots.Find(1, 3));
        Assert.Equal(ExpertSlots.None, slots.Take(0, 0));
        slots.Release(oldest);
        Assert.Equal(oldest, slots.Take(0, 0));
        Assert.Equal(ExpertSlots.None, slots.Find(0, 1));
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(7)]
    [InlineData(300)]
    public void Decayed_counts_are_the_sum_of_visits_halved_with_every_half_life(double halfLife)
    {
        var counts = new DecayedCounts(1, 1, halfLife);
        var random = new Random(3);
        var history = new List<(long Time, int Visits)>();
        long time = 0;
        for (var step = 0; step < 4000; step++)
        {
            var tokens = random.Next(10) == 0 ? random.Next(1, 400) : 1;
            counts.Advance(0, tokens);
            time += tokens;
            if (random.Next(3) == 0)
            {
                var visits = random.Next(1, tokens + 1);
                counts.Add(0, 0, visits);
                history.Add((time, visits));
            }

            if (step % 97 == 0)
            {
                var expected = history.Sum(h => h.Visits * Math.Pow(2, -(time - h.Time) / halfLife)) * (1 - Math.Pow(2, -1 / halfLife));
                Assert.Equal(expected, counts.Rate(0, 0), 1e-9 * Math.Max(1, expected));
            }
        }
    }

    /// <summary>Whatever a router's habit is, the learned policy is about as good as the better of recency and frequency, and in a mixture better than both.</summary>
    [Theory]
    [InlineData(1.2, 0.0, 0.02)]
    [InlineData(0.0, 0.6, -0.02)]
    [InlineData(1.0, 0.4, 0.02)]
    public void The_learned_policy_adapts_to_favourites_and_to_repetition(double exponent, double repeated, double margin)
    {
        const int Slots = 30;
        var trace = Draw(exponent, repeated, 3000);
        var learned = HitRate(trace, Slots, new LearnedPolicy(Layers, Experts));
        var recency = HitRate(trace, Slots, new RecencyPolicy(Layers, Experts));
        var frequency = HitRate(trace, Slots, new FrequencyPolicy(Layers, Experts, 512));
        Assert.True(learned > recency + margin, $"learned {learned:P1}, lru {recency:P1}");
        Assert.True(learned > frequency - 0.02, $"learned {learned:P1}, lfu {frequency:P1}");
    }

    private static List<int[]> Draw(double exponent, double repeated, int tokens)
    {
        var random = new Random(11);
        var last = new int[Layers][];
        var trace = new List<int[]>();
        for (var token = 0; token < tokens; token++)
        {
            for (var layer = 0; layer < Layers; layer++)
            {
                var chosen = new SortedSet<int>((last[layer] ?? []).Where(_ => random.NextDouble() < repeated));
                while (chosen.Count < Used)
                {
                    // Gumbel noise on log-probabilities draws without replacement.
                    chosen.Add(Enumerable.Range(0, Experts).Where(e => !chosen.Contains(e))
                        .MaxBy(e => (-exponent * Math.Log(((e + (5 * layer)) % Experts) + 1)) - Math.Log(-Math.Log(1 - random.NextDouble()))));
                }

                last[layer] = [.. chosen];
                trace.Add(last[layer]);
            }
        }

        return trace;
    }

    private static double HitRate(List<int[]> trace, int count, IExpertPolicy policy)
    {
        var slots = new ExpertSlots(Layers, Experts, count, policy);
        var (hits, all) = (0, 0);
        for (var i = 0; i < trace.Count; i++)
        {
            var layer = i % Layers;
            policy.Enter(layer, 1);
            foreach (var expert in trace[i])
                policy.Used(layer, expert, 1);
            foreach (var expert in trace[i])
            {
                var slot = slots.Find(layer, expert);
                hits += slot != ExpertSlots.None ? 1 : 0;
                slots.Hold(slot != ExpertSlots.None ? slot : slots.Take(layer, expert));
            }

            foreach (var expert in trace[i])
                slots.Release(slots.Find(layer, expert));
            all += Used;
        }

        return (double)hits / all;
    }
}
