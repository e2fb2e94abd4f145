using System.Text.Json;
using Slm.Router.Learning;
using Slm.Router.Policies;
using Slm.Router.Verification;
using Slm.Statistics;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class LearningTests
{
    [Theory]
    // The call; the value that counts is that of the accepted set; order of calls does not.
    [InlineData("""[{"name":"convert","arguments":{"value":5,"unit":"km"}},{"name":"convert","arguments":{"unit":"mi","value":6.0}}]""", true)]
    [InlineData("""[{"name":"convert","arguments":{"value":6,"unit":"mi"}},{"name":"convert","arguments":{"value":5,"unit":"km"}}]""", true)]
    [InlineData("""[{"name":"convert","arguments":{"value":5,"unit":"km"}},{"name":"convert","arguments":{"value":5,"unit":"km"}}]""", false)]
    [InlineData("""[{"name":"convert","arguments":{"value":5,"unit":"km"}}]""", false)]
    [InlineData("""[{"name":"convert","arguments":{"value":5,"unit":"km"}},{"name":"convert","arguments":{"value":7,"unit":"mi"}}]""", false)]
    [InlineData("""{"name":"convert","arguments":{"value":5,"unit":"km"}}""", false)]
    [InlineData("nothing", false)]
    public void An_answer_is_right_by_its_calls(string text, bool correct)
    {
        var one = SuiteCase.Parse("""{"id":"1","prompt":"p","expected":[{"name":"convert","arguments":{"value":[5],"unit":["km"]}},{"name":"convert","arguments":{"value":[6],"unit":["km","mi"]}}]}""", 0);
        Assert.Equal(correct, one.IsCorrect(text, AnswerReading.Of(text, RouterHarness.Policy(Policies.TwoStages))));
    }

    [Fact]
    public void Rates_are_nested()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages);
        (string Text, bool Parses, bool Valid, bool Executable)[] answers =
        [
            ("x", false, false, false), ("""{"a":1}""", true, false, false), ("""[{"name":"convert","arguments":{"value":5}}]""", true, false, false),
            (Policies.GoodCall, true, true, true), ("""{"name":"convert","arguments":{"value":5,"unit":"km"}}""", true, true, true), ("[]", true, true, true),
        ];
        foreach (var (text, parses, valid, executable) in answers)
        {
            var reading = AnswerReading.Of(text, policy);
            Assert.Equal((parses, valid, executable), (reading.Parses, reading.Valid, reading.Executable));
        }
    }

    [Fact]
    public void An_argument_may_be_left_out_where_the_empty_text_is_accepted()
    {
        using var call = JsonDocument.Parse("""{"name":"f","arguments":{"a":1}}""");
        using var expected = JsonDocument.Parse("""{"name":"f","arguments":{"a":[1],"b":["","x"]}}""");
        Assert.True(ExpectedCall.Parse(expected.RootElement).Matches(call.RootElement));
    }

    [Fact]
    public void The_curve_escalates_the_least_sure_first()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages);
        // The small model is right on the two surest of four; the large one on all but the surest.
        PairItem[] items = [new(-4, false, false, true, 1, 20), new(-3, false, false, true, 1, 20), new(-2, true, true, true, 1, 20), new(-1, true, true, false, 1, 20)];
        var curve = CostQuality.Curve(policy.Stages[0], policy.Stages[1], items, 1);
        Assert.Equal([0.5, 0.75, 1, 1, 0.75], curve.Points.Select(p => p.Accuracy));
        Assert.Equal([1, 6, 11, 16, 21], curve.Points.Select(p => p.MeanCost));
        Assert.Equal([0.5, 0.5625, 0.625, 0.6875, 0.75], curve.Points.Select(p => p.RandomAccuracy));
        Assert.Equal(11, curve.Points[2].CostPerSuccess);
        // At the rule's own escalation, one half: 1 against 0.625.
        Assert.Equal(0.5, curve.ComparedEscalation);
        Assert.Equal(0.375, curve.Gain, 1e-12);
    }

    [Theory]
    [InlineData(CalibrationKind.Isotonic)]
    [InlineData(CalibrationKind.Logistic)]
    public void A_tuned_policy_keeps_the_risk_on_cases_it_has_not_seen(CalibrationKind kind)
    {
        var policy = RouterHarness.Policy(Policies.TwoStages);
        var tuned = PolicyTuner.Tune(policy, new Dictionary<string, IReadOnlyList<StageOutcomeItem>> { ["small"] = Outcomes(1, 1000) }, new TuningTerms(0.1, 0.95, kind, null));
        var stage = Assert.Single(tuned.Stages);
        Assert.True(stage is { HasThreshold: true, RiskUpperBound: <= 0.1, Outcomes: 1000 });
        var read = RouterHarness.Policy(tuned.PolicyYaml);
        var rule = read.Stages[0].Accept!;
        Assert.Equal(((double?)stage.Threshold, "mean_logprob"), (rule.AtLeast, rule.Signal));
        var fresh = Outcomes(2, 20_000).Where(o => rule.Calibration!.At(o.Signal) >= rule.AtLeast).ToArray();
        Assert.True(fresh.Length > 2000);
        Assert.InRange(fresh.Count(o => !o.Correct) / (double)fresh.Length, 0, 0.1);
        Assert.InRange(stage.HeldOutCalibrationError, 0, 0.08);
        // All else of the policy is as it was.
        Assert.Equal(policy.Stages[0].Verify, read.Stages[0].Verify);
        Assert.Equal(policy.Tools[0].ParametersJson, read.Tools[0].ParametersJson);
    }

    [Fact]
    public void Where_no_threshold_keeps_the_risk_nothing_is_accepted()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages);
        StageOutcomeItem[] wrong = [.. Enumerable.Range(0, 50).Select(i => new StageOutcomeItem($"{i}", -i, true, i % 2 == 0))];
        var tuned = PolicyTuner.Tune(policy, new Dictionary<string, IReadOnlyList<StageOutcomeItem>> { ["small"] = wrong }, new TuningTerms(0.05, 0.95, CalibrationKind.Isotonic, null));
        Assert.False(tuned.Stages[0].HasThreshold);
        var rule = RouterHarness.Policy(tuned.PolicyYaml).Stages[0].Accept!;
        Assert.All(wrong, o => Assert.False(rule.Calibration!.At(o.Signal) >= rule.AtLeast));
    }

    [Fact]
    public void Too_few_outcomes_are_refused() => Assert.Throws<TuningException>(() => PolicyTuner.Tune(
        RouterHarness.Policy(Policies.TwoStages), new Dictionary<string, IReadOnlyList<StageOutcomeItem>> { ["small"] = Outcomes(1, 10) }, new TuningTerms(0.05, 0.95, CalibrationKind.Isotonic, null)));

    /// <summary>Answers with a mean log-probability of x are right with probability e^(2x).</summary>
    private static StageOutcomeItem[] Outcomes(ulong seed, int count)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var signal = Math.Log(random.NextDouble()) / 4;
            return new StageOutcomeItem($"{i}", signal, true, random.NextDouble() < Math.Exp(2 * signal));
        })];
    }
}
