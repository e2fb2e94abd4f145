using System.Globalization;
using ScottPlot;
using Slm.Statistics;

namespace Slm.ToolBenchmarks;

/// <summary>Figures of the set as a table and a plot.</summary>
internal static class SetReport
{
    /// <summary>Prints the table.</summary>
    public static void Print(IReadOnlyList<ToolCase> cases, IReadOnlyList<SetMeasurement.Way> ways, TextWriter writer)
    {
        foreach (var way in ways)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{way.Name} ({way.Seconds:0.0} s)\n\n| category | cases | valid | executable | right | called |\n|---|---|---|---|---|---|"));
            foreach (var category in ToolCase.Categories.Append("all"))
            {
                var of = way.Verdicts.Where((_, i) => category == "all" || cases[i].Category == category).ToArray();
                writer.WriteLine($"| {category} | {of.Length} | {Share(of, v => v.Valid)} | {Share(of, v => v.Executable)} | {Share(of, v => v.Right)} | {Share(of, v => v.Called)} |");
            }
        }
    }

    /// <summary>Draws the shares of right answers.</summary>
    public static void Plot(IReadOnlyList<ToolCase> cases, IReadOnlyList<SetMeasurement.Way> ways, string path)
    {
        using var plot = new Plot();
        var categories = ToolCase.Categories.Append("all").ToArray();
        var colors = new[] { Colors.SteelBlue, Colors.Orange, Colors.SeaGreen, Colors.Gray };
        var width = (ways.Count * 2) + 1.0;
        for (var w = 0; w < ways.Count; w++)
        {
            foreach (var (name, pick, offset) in new (string, Func<CaseVerdict, bool>, int)[] { ("valid", v => v.Valid, 0), ("right", v => v.Right, 1) })
            {
                var bars = plot.Add.Bars(
                    Enumerable.Range(0, categories.Length).Select(c => (c * width) + (2 * w) + offset),
                    categories.Select(c => 100.0 * ways[w].Verdicts.Where((_, i) => c == "all" || cases[i].Category == c).Average(v => pick(v) ? 1 : 0)));
                bars.LegendText = $"{ways[w].Name}: {name}";
                bars.Color = offset == 0 ? colors[w % colors.Length].WithAlpha(0.45) : colors[w % colors.Length];
            }
        }

        plot.Axes.Bottom.SetTicks([.. Enumerable.Range(0, categories.Length).Select(c => (c * width) + ways.Count - 0.5)], [.. categories.Select(c => c.Replace('_', ' '))]);
        plot.Axes.SetLimitsY(0, 105);
        plot.YLabel("% of answers");
        plot.ShowLegend(Edge.Right);
        plot.SaveSvg(path, 900, 360);
    }

    private static string Share(CaseVerdict[] of, Func<CaseVerdict, bool> pick)
    {
        var (count, total) = (of.Count(pick), of.Length);
        var interval = ClopperPearson.Interval(count, total);
        return string.Create(CultureInfo.InvariantCulture, $"{100.0 * count / total:0.0} % ({100 * interval.Lower:0} to {100 * interval.Upper:0})");
    }
}
