using System.Globalization;
using Slm.Benchmarks;

namespace Slm.ClusterBenchmarks;

/// <summary>
/// What it costs to spread a model over silos: decoding in one process, in two and in four stages, in turns. All stages share the
/// processors of this machine and work one after the other, so each silo has as many threads as the one process.
/// </summary>
internal sealed class StageCost(string folder, IReadOnlyList<string> models, int rounds, int threads)
{
    private static readonly int[] StageCounts = [1, 2, 4];
    private static readonly int[] StreamCounts = [1, 8];

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var chosen = SyntheticModel.All.Where(m => models.Contains(m.Name)).ToArray();
        foreach (var model in chosen)
            model.Write("Q4_0", folder);
        await using var cluster = await CostCluster.StartAsync(StageCounts.Max(), folder, threads, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} threads each, {rounds} rounds in turns, medians; {cluster.Where}"));
        Console.WriteLine();
        Console.WriteLine("| model | streams | stages | of one process | tok/s | bytes per row sent by the first silo | rows as F32 | predicted tok/s | error |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var model in chosen)
            await MeasureAsync(cluster, model, cancellationToken);
        return 0;
    }

    /// <summary>Layers in as many equal stages, on silos a, b and so on.</summary>
    public static string Map(int layers, int stages) => string.Join(',', Enumerable.Range(0, stages).Select(s => $"{s * layers / stages}-{((s + 1) * layers / stages) - 1}@{(char)('a' + s)}"));

    private async Task MeasureAsync(CostCluster cluster, SyntheticModel model, CancellationToken cancellationToken)
    {
        var variants = new List<Variant>();
        foreach (var stages in StageCounts)
        {
            var variant = await cluster.LoadAsync($"in {stages}", model.Write("Q4_0", folder), Map(model.Layers, stages), cancellationToken);
            Assert.Equal(stages, variant.Description.Stages.Count);
            variants.Add(variant);
        }

        foreach (var streams in StreamCounts)
        {
            var large = model.Hidden > 1024;
            var decoded = await Decoding.MeasureAsync(
                variants, streams, tokens: large ? 33 : 129, rounds, warm: TimeSpan.FromSeconds(large ? 3 : 6), () => cluster.Sent("a"),
                () => streams == 1 ? cluster.PredictAsync(variants, cancellationToken) : Task.CompletedTask, cancellationToken);
            for (var v = 0; v < variants.Count; v++)
            {
                var (rate, bytes) = decoded[v];
                var wire = v > 0 && bytes is { } counted ? string.Create(CultureInfo.InvariantCulture, $"{counted:0} | {4 * model.Hidden}") : "- | -";
                var error = streams == 1 ? string.Create(CultureInfo.InvariantCulture, $"{variants[v].Predicted:0.0} | {100 * ((variants[v].Predicted / rate) - 1):+0;-0} %") : "- | -";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {model.Name} | {streams} | {StageCounts[v]} | **{rate / decoded[0].Rate:0.000}** | {rate:0.0} | {wire} | {error} |"));
            }
        }

        await cluster.UnloadAsync(variants, cancellationToken);
    }
}
