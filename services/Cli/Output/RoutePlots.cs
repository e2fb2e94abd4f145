using ScottPlot;
using Slm.V1;

namespace Slm.Cli.Output;

/// <summary>Pictures of routing, as SVG.</summary>
internal static class RoutePlots
{
    private const int Width = 720;
    private const int Height = 480;

    /// <summary>Writes cost-quality.svg, and reliability-STAGE.svg for each stage with a calibration.</summary>
    public static void Write(PolicyReport report, string folder)
    {
        Directory.CreateDirectory(folder);
        CostQuality(report, Path.Combine(folder, "cost-quality.svg"));
        foreach (var stage in report.Stages.Where(s => s.Bins.Count > 0))
            Reliability(stage.Stage, stage.Bins, stage.CalibrationError, Path.Combine(folder, $"reliability-{stage.Stage}.svg"));
    }

    /// <summary>Writes reliability-STAGE.svg of what was fitted.</summary>
    public static void Write(TunedPolicy tuned, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var stage in tuned.Stages)
            Reliability(stage.Stage, stage.Bins, stage.CalibrationError, Path.Combine(folder, $"reliability-{stage.Stage}.svg"));
    }

    private static void CostQuality(PolicyReport report, string file)
    {
        using var plot = new Plot();
        foreach (var curve in report.Curves)
        {
            var line = plot.Add.ScatterLine(curve.Points.Select(p => p.MeanCost).ToArray(), curve.Points.Select(p => 100 * p.Accuracy).ToArray());
            (line.LineWidth, line.LegendText) = (2, $"{curve.FromStage} → {curve.ToStage} by {curve.Signal}");
            var chance = plot.Add.ScatterLine(
                new[] { curve.Points[0].MeanCost, curve.Points[^1].MeanCost }, new[] { 100 * curve.Points[0].RandomAccuracy, 100 * curve.Points[^1].RandomAccuracy });
            (chance.LineWidth, chance.LinePattern, chance.Color) = (1, LinePattern.Dotted, line.Color);
        }

        foreach (var stage in report.Stages)
            Mark(plot, stage.Summary.MeanCost, stage.Summary.Success.Value, $"{stage.Stage} alone", MarkerShape.FilledCircle);
        Mark(plot, report.Summary.MeanCost, report.Correct.Value, "cascade as tuned", MarkerShape.FilledDiamond);
        plot.Title("Cost and quality (dotted: escalation by chance)");
        plot.XLabel("mean cost of a request, in the policy's units");
        plot.YLabel("correct, %");
        plot.ShowLegend(Alignment.LowerRight);
        plot.SaveSvg(file, Width, Height);
    }

    private static void Mark(Plot plot, double cost, double share, string name, MarkerShape shape)
    {
        var mark = plot.Add.Marker(cost, 100 * share, shape, 11);
        mark.LegendText = name;
    }

    private static void Reliability(string stage, IReadOnlyList<ReliabilityBin> bins, double error, string file)
    {
        using var plot = new Plot();
        var ideal = plot.Add.Line(0, 0, 1, 1);
        (ideal.LinePattern, ideal.LegendText) = (LinePattern.Dotted, "calibrated");
        var most = bins.Max(b => b.Count);
        foreach (var bin in bins)
        {
            var mark = plot.Add.Marker(bin.MeanProbability, bin.PositiveShare, MarkerShape.FilledCircle, 5 + (15f * bin.Count / most));
            mark.Color = Colors.SteelBlue;
        }

        plot.Axes.SetLimits(0, 1, 0, 1);
        plot.Title(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Reliability of stage {stage} (ECE {error:0.000})"));
        plot.XLabel("probability of being right (mean of the bin; larger marks hold more cases)");
        plot.YLabel("share that is right");
        plot.ShowLegend(Alignment.UpperLeft);
        plot.SaveSvg(file, Width, Height);
    }
}
