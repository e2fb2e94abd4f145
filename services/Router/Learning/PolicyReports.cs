using Slm.Router.Accounting;
using Slm.Router.Cascades;
using Slm.Router.Policies;
using Slm.Statistics;
using Slm.V1;
using ReliabilityBin = Slm.V1.ReliabilityBin;

namespace Slm.Router.Learning;

/// <summary>Sums up the runs of a suite.</summary>
internal static class PolicyReports
{
    public static PolicyReport Of(RoutePolicy policy, IReadOnlyList<CaseRun> runs, bool allStages)
    {
        var report = new PolicyReport
        {
            Summary = RouteAccounting.Summarize([.. runs.Select(r => RequestFigures.Of(r.Decision))], policy.Seed),
            Correct = RouteAccounting.Rate(runs.Count(r => r.Correct), runs.Count),
        };
        foreach (var category in runs.GroupBy(r => r.Case.Category).Where(g => g.Key.Length > 0))
            report.ByCategory[category.Key] = RouteAccounting.Summarize([.. category.Select(r => RequestFigures.Of(r.Decision))], policy.Seed);
        if (!allStages)
            return report;
        report.Stages.Add(policy.Stages.Select(stage => Stage(policy, stage, runs)));
        for (var i = 0; i < policy.Stages.Count; i++)
        {
            for (var j = i + 1; j < policy.Stages.Count; j++)
            {
                var (from, to) = (policy.Stages[i], policy.Stages[j]);
                report.Curves.Add(CostQuality.Curve(from, to, [.. runs.Select(r => Pair(r, from, to))], policy.Seed));
            }
        }

        return report;
    }

    /// <summary>The signal of an answer as confidence: more is surer; lowest where there is none.</summary>
    public static double Confidence(StagePolicy stage, StageTrace trace, string? signal = null)
    {
        var name = signal ?? stage.Accept?.Signal ?? SignalNames.MeanLogProb;
        return trace.Signals.TryGetValue(name, out var value) ? (SignalNames.Signals[name].MoreIsBetter ? value : -value) : double.NegativeInfinity;
    }

    /// <summary>A calibrated bin of a reliability diagram in the contract's form.</summary>
    public static IEnumerable<ReliabilityBin> Bins(double[] probabilities, bool[] correct) => Scoring.Reliability(probabilities, correct).Select(b => new ReliabilityBin
    {
        From = b.From,
        To = b.To,
        Count = b.Count,
        MeanProbability = b.MeanProbability,
        PositiveShare = b.PositiveShare,
    });

    private static PairItem Pair(CaseRun run, StagePolicy from, StagePolicy to)
    {
        var (first, second) = (run.Stages[from.Name], run.Stages[to.Name]);
        // An answer that fails its checks is never kept.
        var verified = first.Trace.Verifiers.All(v => v.Passed);
        return new PairItem(verified ? Confidence(from, first.Trace) : double.NegativeInfinity, first.Passed, IsCorrect(run, first), IsCorrect(run, second), first.Trace.Cost, second.Trace.Cost);
    }

    private static bool IsCorrect(CaseRun run, StageRun stage) => run.Case.IsCorrect(stage.Answer.Text, stage.Reading);

    private static StageReport Stage(RoutePolicy policy, StagePolicy stage, IReadOnlyList<CaseRun> runs)
    {
        var mine = runs.Select(r => (Run: r.Stages[stage.Name], Correct: IsCorrect(r, r.Stages[stage.Name]))).ToArray();
        var report = new StageReport
        {
            Stage = stage.Name,
            Model = stage.Model.ToString(),
            Signal = stage.Accept?.Signal ?? SignalNames.MeanLogProb,
            Summary = RouteAccounting.Summarize([.. mine.Select(m => new RequestFigures(m.Run.Trace.Cost, m.Run.Trace.LatencyMs, false, m.Correct,
                new AnswerChecks { Parses = m.Run.Reading.Parses, Valid = m.Run.Reading.Valid, Executable = m.Run.Reading.Executable }, null))], policy.Seed),
        };
        var told = mine.Where(m => m.Run.Trace.Signals.ContainsKey(report.Signal)).ToArray();
        if (told.Length == 0)
            return report;
        bool[] correct = [.. told.Select(m => m.Correct)];
        if (Scoring.Auroc([.. told.Select(m => Confidence(stage, m.Run.Trace))], correct) is var auroc && !double.IsNaN(auroc))
            report.Auroc = auroc;
        if (stage.Accept?.Calibration is not { } calibration)
            return report;
        double[] probabilities = [.. told.Select(m => calibration.At(m.Run.Trace.Signals[report.Signal]))];
        report.Bins.Add(Bins(probabilities, correct));
        (report.CalibrationError, report.Brier) = (Scoring.CalibrationError(probabilities, correct), Scoring.Brier(probabilities, correct));
        return report;
    }
}
