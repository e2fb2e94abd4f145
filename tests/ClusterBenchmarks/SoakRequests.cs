using Slm.Cluster.Tests;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>What is asked in a soak: prompts, lengths and ways to sample that have little in common.</summary>
internal static class SoakRequests
{
    private static readonly string[] Words = "once upon a time there was little girl named lily she loved to play in the park with her dog and saw big red ball under tree".Split(' ');

    /// <summary>Draws requests.</summary>
    public static GenerateRequest[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var sampling = new SamplingOptions { MaxTokens = random.Next(4, 240), IgnoreEos = random.Next(3) > 0, Seed = (ulong)random.NextInt64(1L << 50), Temperature = random.Next(3) == 0 ? 0 : random.NextSingle() * 1.2f };
            if (random.Next(3) == 0)
                (sampling.Logprobs, sampling.TopLogprobs) = (true, random.Next(0, 5));
            if (random.Next(4) == 0)
                (sampling.TopK, sampling.TopP) = (random.Next(1, 80), 0.5f + (random.NextSingle() / 2));
            if (random.Next(4) == 0)
                (sampling.FrequencyPenalty, sampling.PresencePenalty, sampling.RepetitionPenalty) = (random.NextSingle(), random.NextSingle(), 1 + (random.NextSingle() / 4));
            if (random.Next(4) == 0)
                sampling.Stop.Add(random.Next(2) == 0 ? "." : "friend");

            // Some begin alike, so that prefixes are shared.
            var length = random.Next(2) == 0 ? random.Next(1, 12) : random.Next(12, 90);
            var words = random.Next(3) == 0 ? Words.Take(Math.Min(length, Words.Length)) : Enumerable.Range(0, length).Select(_ => Words[random.Next(Words.Length)]);
            return new GenerateRequest { Model = SiloCluster.Model, Text = string.Join(' ', words), Sampling = sampling };
        })];
    }
}
