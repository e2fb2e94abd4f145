using System.Globalization;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Output;

/// <summary>Tables of routing.</summary>
internal static class RouteReport
{
    public static void WritePolicies(ListPoliciesResponse answer)
    {
        var table = new Table().AddColumns("policy", "models", "hash", "description");
        foreach (var policy in answer.Policies)
        {
            table.AddRow(
                Markup.Escape(policy.Name == answer.DefaultPolicy ? $"{policy.Name} (default)" : policy.Name), Markup.Escape(string.Join(" → ", policy.Models)),
                policy.Hash.Length > 12 ? policy.Hash[..12] : "not usable", Markup.Escape(policy.Description));
        }

        AnsiConsole.Write(table);
        foreach (var policy in answer.Policies)
        {
            foreach (var problem in policy.Problems)
                AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{policy.Name}, line {problem.Line}: {problem.Field} {problem.Message}"));
        }
    }

    public static void Write(PolicyReport report)
    {
        AnsiConsole.Write(Summaries([("cascade", report.Summary, report.Correct), .. report.Stages.Select(s => ($"{s.Stage} alone ({s.Model})", s.Summary, s.Summary.Success))]));
        if (report.ByCategory.Count > 0)
            AnsiConsole.Write(Summaries([.. report.ByCategory.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (c.Key, c.Value, c.Value.Success))]));

        if (report.Stages.Any(s => s.HasAuroc))
        {
            var signals = new Table().AddColumns("stage", "signal").AddColumn(Right("AUROC")).AddColumn(Right("ECE")).AddColumn(Right("Brier"));
            foreach (var stage in report.Stages.Where(s => s.HasAuroc))
                signals.AddRow(Markup.Escape(stage.Stage), stage.Signal, Number(stage.Auroc), stage.HasCalibrationError ? Number(stage.CalibrationError) : "", stage.HasBrier ? Number(stage.Brier) : "");
            AnsiConsole.Write(signals);
        }

        foreach (var curve in report.Curves.Where(c => c.ComparedEscalation > 0))
        {
            AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{curve.FromStage} → {curve.ToStage} by {curve.Signal}, {curve.ComparedEscalation:0.0%} escalated: {curve.Gain * 100:+0.0;-0.0} points over chance (95 %: {curve.GainLower * 100:+0.0;-0.0} to {curve.GainUpper * 100:+0.0;-0.0}, p = {curve.PValue:0.0000})."));
        }
    }

    public static void Write(TunedPolicy tuned)
    {
        var table = new Table().AddColumns("stage", "signal").AddColumn(Right("outcomes")).AddColumn(Right("right")).AddColumn(Right("threshold")).AddColumn(Right("coverage"))
            .AddColumn(Right("risk")).AddColumn(Right("bound")).AddColumn(Right("AUROC")).AddColumn(Right("ECE")).AddColumn(Right("ECE held out")).AddColumn(Right("Brier"));
        foreach (var s in tuned.Stages)
        {
            table.AddRow(
                Markup.Escape(s.Stage), s.Signal, s.Outcomes.ToString(CultureInfo.InvariantCulture), s.Correct.ToString(CultureInfo.InvariantCulture),
                s.HasThreshold ? Number(s.Threshold) : "none", s.HasThreshold ? Percent(s.Coverage) : "", s.HasThreshold ? Percent(s.Risk) : "", s.HasThreshold ? Percent(s.RiskUpperBound) : "",
                s.HasAuroc ? Number(s.Auroc) : "", Number(s.CalibrationError), Number(s.HeldOutCalibrationError), Number(s.Brier));
        }

        AnsiConsole.Write(table);
        foreach (var s in tuned.Stages.Where(s => !s.HasThreshold))
            AnsiConsole.WriteLine($"No threshold keeps stage '{s.Stage}' within the target: it accepts nothing. Give more cases, or a higher --target-risk.");
    }

    /// <summary>A column for each, a row for each figure.</summary>
    private static Table Summaries(IReadOnlyList<(string Name, RouteSummary Summary, Rate Correct)> columns)
    {
        var table = new Table().AddColumn("");
        foreach (var (name, _, _) in columns)
            table.AddColumn(Right(Markup.Escape(name)));
        Row("requests", (s, _) => s.Requests.ToString(CultureInfo.InvariantCulture));
        Row("correct", (_, correct) => Share(correct));
        Row("  95 %", (_, correct) => $"{Percent(correct.Lower)} to {Percent(correct.Upper)}");
        Row("JSON", (s, _) => Share(s.Parses));
        Row("valid", (s, _) => Share(s.SchemaValid));
        Row("executable", (s, _) => Share(s.Executable));
        Row("mean cost", (s, _) => Number(s.MeanCost));
        Row("cost per success", (s, _) => s.HasCostPerSuccess ? Number(s.CostPerSuccess) : "none succeeded");
        Row("  95 %", (s, _) => s.HasCostPerSuccess ? $"{Number(s.CostPerSuccessLower)} to {Number(s.CostPerSuccessUpper)}" : "");
        Row("latency p50", (s, _) => s.HasLatencyP50Ms ? Milliseconds(s.LatencyP50Ms) : "");
        Row("latency p95", (s, _) => s.HasLatencyP95Ms ? Milliseconds(s.LatencyP95Ms) : "");
        Row("fallback", (s, _) => Share(s.Fallback));
        Row("energy", (s, _) => s.HasMeasuredJoulesPerRequest ? $"{Number(s.MeasuredJoulesPerRequest)} J measured" : s.HasEstimatedJoulesPerRequest ? $"{Number(s.EstimatedJoulesPerRequest)} J estimated" : "");
        return table;

        void Row(string figure, Func<RouteSummary, Rate, string> cell) => table.AddRow((string[])[figure, .. columns.Select(c => cell(c.Summary, c.Correct))]);
    }

    private static TableColumn Right(string name) => new TableColumn(name).RightAligned();

    private static string Share(Rate rate) => rate.HasValue ? Percent(rate.Value) : "";

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.0} %");

    private static string Number(double number) => number.ToString(Math.Abs(number) >= 100 ? "0.0" : "0.####", CultureInfo.InvariantCulture);

    private static string Milliseconds(double milliseconds) => string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0.0} ms");
}
