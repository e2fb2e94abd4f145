using System.Globalization;
using Slm.Benchmarks;

namespace Slm.ClusterBenchmarks;

/// <summary>
/// What it costs to spread experts over silos: all with the stage, and in two and four groups, of which one is with the stage. The
/// model has the dimensions of SmallThinker-4B-A0.6B: 32 layers of 32 experts, of which a token visits 4.
/// </summary>
internal sealed class ExpertCost(string folder, int rounds, int threads)
{
    private const int Layers = 32;
    private const int Experts = 32;
    private static readonly int[] GroupCounts = [1, 2, 4];
    private static readonly int[] StreamCounts = [1, 8];

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var file = SyntheticMixture.Write(folder, 1);
        await using var cluster = await CostCluster.StartAsync(GroupCounts.Max(), folder, threads, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{threads} threads each, {rounds} rounds in turns, medians; {cluster.Where}"));
        Console.WriteLine();
        Console.WriteLine("| streams | groups | of all in one place | tok/s | bytes per token between silos | by the formula | predicted tok/s | error |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        var variants = new List<Variant>();
        foreach (var groups in GroupCounts)
            variants.Add(await cluster.LoadAsync($"of {groups}", file, Map(groups), cancellationToken));
        foreach (var streams in StreamCounts)
        {
            var decoded = await Decoding.MeasureAsync(
                variants, streams, tokens: 33, rounds, warm: TimeSpan.FromSeconds(3), () => cluster.Sent("a") + cluster.Sent("b") + cluster.Sent("c") + cluster.Sent("d"),
                () => streams == 1 ? cluster.PredictAsync(variants, cancellationToken) : Task.CompletedTask, cancellationToken);
            for (var v = 0; v < variants.Count; v++)
            {
                var (rate, bytes) = decoded[v];
                var wire = v > 0 && bytes is { } counted
                    ? string.Create(CultureInfo.InvariantCulture, $"{counted:0} | {(streams == 1 ? variants[v].Description.Prediction.WireBytesPerToken : "-")}")
                    : "- | -";
                var error = streams == 1 ? string.Create(CultureInfo.InvariantCulture, $"{variants[v].Predicted:0.0} | {100 * ((variants[v].Predicted / rate) - 1):+0;-0} %") : "- | -";
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {streams} | {GroupCounts[v]} | **{rate / decoded[0].Rate:0.000}** | {rate:0.0} | {wire} | {error} |"));
            }
        }

        return 0;
    }

    private static string Map(int groups) => groups == 1
        ? $"0-{Layers - 1}@a"
        : $"0-{Layers - 1}@a;experts:{string.Join(',', Enumerable.Range(0, groups).Select(g => $"{g * Experts / groups}-{((g + 1) * Experts / groups) - 1}@{(char)('a' + g)}"))}";
}
