using System.Globalization;
using Slm.Router.Policies;
using Slm.Statistics;
using Slm.V1;
using YamlDotNet.RepresentationModel;

namespace Slm.Router.Learning;

/// <summary>
/// Fits the rules of acceptance of all stages but the last: a calibration from the signal to the probability of being right, and the
/// lowest threshold whose risk, by its upper bound, is within the target. Each stage is fitted on what reaches it under the rules
/// of those before.
/// </summary>
internal static class PolicyTuner
{
    private const int Folds = 5;

    /// <summary>Outcomes below this are too few to say anything.</summary>
    private const int FewestOutcomes = 20;

    /// <summary>Fits them.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="outcomes">Of each stage, by its name: what it said of each case.</param>
    /// <param name="terms">Target, confidence, and kind of calibration.</param>
    public static TunedPolicy Tune(RoutePolicy policy, IReadOnlyDictionary<string, IReadOnlyList<StageOutcomeItem>> outcomes, TuningTerms terms)
    {
        var tuned = new TunedPolicy();
        var rules = new List<(string Stage, string Signal, double Threshold, ICalibration Calibration)>();
        var passedOn = (HashSet<string>?)null;
        for (var stage = policy.Stages[0]; stage is not null; stage = policy.After(stage))
        {
            if (stage.Next is null)
                break;
            var all = outcomes.TryGetValue(stage.Name, out var found) ? found.Where(o => o.Verified && !double.IsNaN(o.Signal)).ToArray() : [];
            if (all.Length < FewestOutcomes)
                throw new TuningException($"Stage '{stage.Name}' has {all.Length} outcomes with its signal; at least {FewestOutcomes} are needed. Give more cases, or report more outcomes.");
            var signal = terms.Signal ?? stage.Accept?.Signal ?? SignalNames.MeanLogProb;
            var sign = SignalNames.Signals[signal].MoreIsBetter ? 1 : -1;
            double[] signals = [.. all.Select(o => o.Signal)];
            bool[] correct = [.. all.Select(o => o.Correct)];
            var calibration = Fit(terms.Kind, signals, correct, sign);
            double[] probabilities = [.. signals.Select(calibration.At)];
            var reaching = all.Select((o, i) => (Item: o, Probability: probabilities[i])).Where(o => passedOn is null || passedOn.Contains(o.Item.Id)).ToArray();
            var choice = reaching.Length == 0 ? null : SelectiveRisk.Choose([.. reaching.Select(r => r.Probability)], [.. reaching.Select(r => r.Item.Correct)], terms.TargetRisk, terms.Confidence);
            // A probability of 1 is never reached: nothing is accepted.
            var threshold = choice?.Point.Threshold ?? 1;
            var report = new TunedStage
            {
                Stage = stage.Name,
                Signal = signal,
                Outcomes = all.Length,
                Correct = correct.Count(c => c),
                CalibrationError = Scoring.CalibrationError(probabilities, correct),
                Brier = Scoring.Brier(probabilities, correct),
                HeldOutCalibrationError = HeldOutError(terms.Kind, signals, correct, sign, policy.Seed),
            };
            if (Scoring.Auroc([.. signals.Select(s => sign * s)], correct) is var auroc && !double.IsNaN(auroc))
                report.Auroc = auroc;
            if (choice is { } chosen)
                (report.Threshold, report.Coverage, report.Risk, report.RiskUpperBound) = (threshold, chosen.Point.Coverage, chosen.Point.Risk, chosen.UpperBound);
            report.Bins.Add(PolicyReports.Bins(probabilities, correct));
            tuned.Stages.Add(report);
            rules.Add((stage.Name, signal, threshold, calibration));
            var accepted = reaching.Where(r => r.Probability >= threshold).Select(r => r.Item.Id).ToHashSet(StringComparer.Ordinal);
            passedOn = [.. (passedOn ?? [.. found!.Select(o => o.Id)]).Where(id => !accepted.Contains(id))];
        }

        if (rules.Count == 0)
            throw new TuningException("The policy has one stage only; there is nothing to choose between.");
        tuned.PolicyYaml = Write(policy, rules);
        return tuned;
    }

    /// <summary>
    /// A calibration that never claims certainty: n outcomes can bear out a probability of at most 1 - 1/(n + 2).
    /// </summary>
    internal static ICalibration Fit(CalibrationKind kind, double[] signals, bool[] correct, int sign)
    {
        if (kind == CalibrationKind.Logistic)
            return new LogisticCalibration(LogisticRegression.Fit([.. signals.Select(s => new[] { s })], correct));
        var fitted = IsotonicRegression.Fit([.. signals.Select(s => sign * s)], correct);
        var margin = 1.0 / (signals.Length + 2);
        return new IsotonicCalibration(IsotonicRegression.From(fitted.Scores, [.. fitted.Values.Select(v => Math.Clamp(v, margin, 1 - margin))]), sign);
    }

    private static double HeldOutError(CalibrationKind kind, double[] signals, bool[] correct, int sign, ulong seed)
    {
        var random = new SeededRandom(seed, 5);
        var fold = signals.Select(_ => random.NextBelow(Folds)).ToArray();
        var probabilities = new double[signals.Length];
        for (var f = 0; f < Folds; f++)
        {
            int[] rest = [.. Enumerable.Range(0, signals.Length).Where(i => fold[i] != f)];
            if (rest.Length == 0)
                continue;
            var calibration = Fit(kind, [.. rest.Select(i => signals[i])], [.. rest.Select(i => correct[i])], sign);
            for (var i = 0; i < signals.Length; i++)
            {
                if (fold[i] == f)
                    probabilities[i] = calibration.At(signals[i]);
            }
        }

        return Scoring.CalibrationError(probabilities, correct);
    }

    /// <summary>The policy's YAML with the new rules; comments are lost.</summary>
    private static string Write(RoutePolicy policy, IEnumerable<(string Stage, string Signal, double Threshold, ICalibration Calibration)> rules)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(policy.Text));
        var stages = (YamlSequenceNode)((YamlMappingNode)stream.Documents[0].RootNode).Children[new YamlScalarNode("stages")];
        foreach (var (stage, signal, threshold, calibration) in rules)
        {
            var at = policy.Stages.Select((s, i) => (s.Name, i)).First(s => s.Name == stage).i;
            ((YamlMappingNode)stages.Children[at]).Children[new YamlScalarNode("accept")] = new YamlMappingNode(
                "signal", signal, "at_least", Text(threshold), new YamlScalarNode("calibration"), Node(calibration));
        }

        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        stream.Save(writer, assignAnchors: false);
        return writer.ToString().TrimEnd().TrimEnd('.').TrimEnd() + "\n";
    }

    private static YamlMappingNode Node(ICalibration calibration) => calibration switch
    {
        IsotonicCalibration isotonic => new YamlMappingNode("kind", "isotonic", new YamlScalarNode("scores"), Numbers(isotonic.Function.Scores), new YamlScalarNode("values"), Numbers(isotonic.Function.Values)),
        LogisticCalibration logistic => new YamlMappingNode("kind", "logistic", "bias", Text(logistic.Function.Bias), "weight", Text(logistic.Function.Weights[0])),
        _ => throw new NotSupportedException(calibration.GetType().Name),
    };

    private static YamlSequenceNode Numbers(IEnumerable<double> numbers) => new(numbers.Select(n => new YamlScalarNode(Text(n)))) { Style = YamlDotNet.Core.Events.SequenceStyle.Flow };

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);
}

/// <summary>What a stage said of a case.</summary>
/// <param name="Id">The case.</param>
/// <param name="Signal">The signal; NaN where the model told none.</param>
/// <param name="Verified">Its answer passed the checks.</param>
/// <param name="Correct">It was right.</param>
internal sealed record StageOutcomeItem(string Id, double Signal, bool Verified, bool Correct);

/// <summary>What thresholds are fitted to.</summary>
internal sealed record TuningTerms(double TargetRisk, double Confidence, CalibrationKind Kind, string? Signal);

/// <summary>Thresholds cannot be fitted.</summary>
internal sealed class TuningException(string message) : Exception(message);
