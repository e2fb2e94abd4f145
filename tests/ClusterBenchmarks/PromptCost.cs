using System.Diagnostics;
using System.Globalization;
using Slm.Benchmarks;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>Time to the first token behind a long prompt, in one, two and four stages, in turns.</summary>
internal sealed class PromptCost(string folder, IReadOnlyList<string> models, int rounds, int threads)
{
    private const int PromptTokens = 2048;
    private static readonly int[] StageCounts = [1, 2, 4];

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var chosen = SyntheticModel.All.Where(m => models.Contains(m.Name)).ToArray();
        foreach (var model in chosen)
            model.Write("Q4_0", folder);
        await using var cluster = await CostCluster.StartAsync(StageCounts.Max(), folder, threads, cancellationToken, "Slm:Inference:PrefixSharing=false");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{PromptTokens} tokens, {threads} threads each, {rounds} rounds in turns, medians; {cluster.Where}"));
        Console.WriteLine();
        Console.WriteLine("| model | stages | of one process | first token after ms | prompt tok/s |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var model in chosen)
        {
            var variants = new List<Variant>();
            foreach (var stages in StageCounts)
                variants.Add(await cluster.LoadAsync($"in {stages}", model.Write("Q4_0", folder), StageCost.Map(model.Layers, stages), cancellationToken));
            var seconds = variants.Select(_ => new List<double>()).ToArray();

            // The first round warms up.
            for (var round = -1; round < rounds; round++)
            {
                for (var v = 0; v < variants.Count; v++)
                {
                    var taken = await FirstTokenAsync(variants[v], round, cancellationToken);
                    if (round >= 0)
                        seconds[v].Add(taken);
                }
            }

            var one = Decoding.Median(seconds[0]);
            for (var v = 0; v < variants.Count; v++)
            {
                var median = Decoding.Median(seconds[v]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {model.Name} | {StageCounts[v]} | **{median / one:0.000}** | {1000 * median:0} | {PromptTokens / median:0} |"));
            }

            await cluster.UnloadAsync(variants, cancellationToken);
        }

        return 0;
    }

    private static async Task<double> FirstTokenAsync(Variant variant, int seed, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var request = new GenerateRequest
        {
            Model = variant.Model,
            TokenIds = new TokenIds { Ids = { Enumerable.Range(0, PromptTokens).Select(_ => random.Next(300, 30_000)) } },
            Sampling = new SamplingOptions { MaxTokens = 1, IgnoreEos = true, Temperature = 0 },
        };
        var started = Stopwatch.GetTimestamp();
        using var call = variant.Entry.Inference.Generate(request, cancellationToken: cancellationToken);
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            if (call.ResponseStream.Current.TokenIds.Count > 0)
                return Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        throw new InvalidOperationException($"{variant.Model} ended without a token.");
    }
}
