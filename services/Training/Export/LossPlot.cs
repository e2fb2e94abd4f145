using ScottPlot;
using Slm.Training.Pretraining;

namespace Slm.Training.Export;

/// <summary>The loss curve as a picture.</summary>
public static class LossPlot
{
    /// <summary>Writes <c>name.svg</c> and <c>name.png</c> into <paramref name="folder"/>.</summary>
    public static void Write(IReadOnlyList<LossPoint> curve, string folder, string name)
    {
        using var plot = new Plot();
        var training = curve.Where(p => p.Loss is not null).ToArray();
        var line = plot.Add.Scatter(training.Select(p => p.Tokens / 1e6).ToArray(), training.Select(p => p.Loss!.Value).ToArray());
        (line.MarkerSize, line.LineWidth, line.LegendText) = (0, 1, "training");
        var validation = curve.Where(p => p.Validation is not null).ToArray();
        if (validation.Length > 0)
        {
            var points = plot.Add.Scatter(validation.Select(p => p.Tokens / 1e6).ToArray(), validation.Select(p => p.Validation!.Value).ToArray());
            (points.MarkerSize, points.LineWidth, points.LegendText) = (5, 2, "validation");
        }

        plot.Title($"Loss of {name}");
        plot.XLabel("million tokens");
        plot.YLabel("nats a token");
        // The first steps fall so far that nothing else would be seen.
        var late = curve.Where(p => p.Tokens >= curve[^1].Tokens * 0.05).Max(p => p.Loss ?? p.Validation ?? 0);
        plot.Axes.SetLimitsY(0, 1.2 * late);
        plot.ShowLegend(Alignment.UpperRight);
        plot.SaveSvg(Path.Combine(folder, $"{name}.svg"), 800, 480);
        plot.SavePng(Path.Combine(folder, $"{name}.png"), 800, 480);
    }
}
