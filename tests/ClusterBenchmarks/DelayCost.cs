using System.Globalization;
using Slm.Benchmarks;

namespace Slm.ClusterBenchmarks;

/// <summary>Decoding in two stages whose silos are some milliseconds apart, against what the cost model predicts from its own measurement of the link.</summary>
internal sealed class DelayCost(string folder, IReadOnlyList<string> models, IReadOnlyList<double> milliseconds, int rounds, int threads)
{
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var chosen = SyntheticModel.All.Where(m => models.Contains(m.Name)).ToArray();
        foreach (var model in chosen)
            model.Write("Q4_0", folder);
        var first = true;
        foreach (var delay in milliseconds)
        {
            await using var cluster = await CostCluster.StartAsync(2, folder, threads, TimeSpan.FromMilliseconds(delay), cancellationToken);
            if (first)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} threads each, {rounds} rounds in turns, medians; {cluster.Where}"));
                Console.WriteLine();
                Console.WriteLine("| model | one way ms | stages | tok/s | predicted tok/s | error |");
                Console.WriteLine("|---|---|---|---|---|---|");
                first = false;
            }

            foreach (var model in chosen)
            {
                var large = model.Hidden > 1024;
                var variants = new List<Variant>();
                foreach (var stages in new[] { 1, 2 })
                    variants.Add(await cluster.LoadAsync($"in {stages}", model.Write("Q4_0", folder), StageCost.Map(model.Layers, stages), cancellationToken));
                var decoded = await Decoding.MeasureAsync(variants, 1, tokens: large ? 33 : 65, rounds, TimeSpan.FromSeconds(4), static () => null, () => cluster.PredictAsync(variants, cancellationToken), cancellationToken);
                for (var v = 0; v < variants.Count; v++)
                {
                    var (rate, predicted) = (decoded[v].Rate, variants[v].Predicted);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {model.Name} | {delay} | {variants[v].Description.Stages.Count} | {rate:0.0} | {predicted:0.0} | {100 * ((predicted / rate) - 1):+0;-0} % |"));
                }

                await cluster.UnloadAsync(variants, cancellationToken);
            }
        }

        return 0;
    }
}
