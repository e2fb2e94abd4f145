using Grpc.Core;
using Slm.Router.Cascades;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class CascadeTests : IDisposable
{
    private readonly RouterHarness _router = new();

    public void Dispose() => _router.Dispose();

    [Fact]
    public async Task A_sure_and_valid_answer_of_the_small_model_is_given()
    {
        _router.Models.Add("s", _ => ScriptedModels.Says(Policies.GoodCall)).Add("l", _ => throw new InvalidOperationException("the large model must not be asked"));
        var result = await _router.RunAsync(RouterHarness.Policy(Policies.TwoStages));
        Assert.Equal(Policies.GoodCall, result.Run.Answer.Text);
        var decision = result.Decision;
        Assert.True(decision is { Model: "s", Accepted: true, Fallback: false, Degraded: false, Cost: 1 });
        Assert.True(decision.Checks is { Parses: true, Valid: true, Executable: true });
        var stage = Assert.Single(decision.Stages);
        Assert.Equal((StageOutcome.Accepted, "mean_logprob", -0.5), (stage.Outcome, stage.AcceptSignal, stage.Threshold));
        Assert.Equal(-0.01, stage.Confidence, 1e-6);
        Assert.Equal(1, decision.Features["numbers"]);
        Assert.True(_router.Models.Asked.Single().Request.Sampling is { Logprobs: true, TopLogprobs: 20, MaxTokens: 20 });
    }

    [Theory]
    [InlineData(Policies.GoodCall, -2.0, "not at least")]
    [InlineData("""[{"name":"convert","arguments":{"value":"x","unit":"km"}}]""", -0.01, "failed schema")]
    [InlineData("""[{"name":"other","arguments":{}}]""", -0.01, "failed schema")]
    [InlineData("no json", -0.01, "it is no JSON")]
    public async Task What_is_unsure_or_wrong_goes_to_the_large_model_with_the_cost_of_both(string answer, double logprob, string reason)
    {
        _router.Models.Add("s", _ => ScriptedModels.Says(answer, logprob)).Add("l", _ => ScriptedModels.Says(Policies.GoodCall));
        var decision = (await _router.RunAsync(RouterHarness.Policy(Policies.TwoStages))).Decision;
        Assert.Equal(("l", 21.0, true, true), (decision.Model, decision.Cost, decision.Fallback, decision.Accepted));
        Assert.Equal([StageOutcome.Rejected, StageOutcome.Accepted], decision.Stages.Select(s => s.Outcome));
        Assert.Contains(reason, decision.Stages[0].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 5)]
    [InlineData(false, 0)]
    public async Task The_small_models_answer_is_the_draft_of_the_large_one_where_tokens_mean_the_same(bool same, int drafted)
    {
        _router.Models.SameTokens = same;
        _router.Models.Add("s", _ => ScriptedModels.Says(Policies.GoodCall, -9)).Add("l", _ => ScriptedModels.Says(Policies.GoodCall));
        await _router.RunAsync(RouterHarness.Policy(Policies.TwoStages));
        Assert.Equal(drafted, _router.Models.Asked.Last().Request.DraftTokenIds.Count);
    }

    [Fact]
    public async Task A_repair_is_told_what_is_wrong_and_its_cost_counts()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages.Replace("cost: { request: 1 }", "cost: { request: 1 }\n    repairs: 1", StringComparison.Ordinal));
        _router.Models.Add("s", request => ScriptedModels.Says(request.Text.Contains("must be", StringComparison.Ordinal) ? Policies.GoodCall : Policies.GoodCall.Replace("km", "parsec", StringComparison.Ordinal)));
        var decision = (await _router.RunAsync(policy)).Decision;
        Assert.Equal((2, 2.0, true), (decision.Stages[0].Attempts, decision.Cost, decision.Accepted));
        var repair = _router.Models.Asked.Last().Request.Text;
        Assert.StartsWith("Convert 5 km.", repair, StringComparison.Ordinal);
        Assert.Contains("parsec", repair, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Samples_vote_in_canonical_form_and_are_paid_for()
    {
        var policy = RouterHarness.Policy("""
            name: vote
            schema: { type: object }
            stages:
              - { name: a, model: m, samples: 4, cost: { request: 1 }, accept: { signal: consistency, at_least: 0.75 } }
              - { name: b, model: n }
            """);
        var drawn = 0;
        _router.Models.Add("m", request => ScriptedModels.Says(!request.Sampling.HasTemperature ? """{"a": 1, "b": 2}""" : Interlocked.Increment(ref drawn) == 1 ? """{"a": 2}""" : """{ "b":2, "a":1 }"""));
        var decision = (await _router.RunAsync(policy)).Decision;
        Assert.Equal((0.75, 5.0, true), (decision.Stages[0].Confidence, decision.Cost, decision.Accepted));
        Assert.Equal(5, _router.Models.Asked.Select(a => a.Request.Sampling.Seed).Distinct().Count());
    }

    [Fact]
    public async Task The_probability_of_truth_is_that_of_yes_against_no()
    {
        var policy = RouterHarness.Policy("""
            name: truth
            stages:
              - name: a
                model: m
                cost: { request: 1 }
                p_true: { template: "{prompt} {answer} Right?", yes: " yes", no: " no" }
                accept: { signal: p_true, at_least: 0.7 }
                verify: [judge: { model: j, template: "{answer}?", at_least: 0.9 }]
              - { name: b, model: n }
            """);
        _router.Models.Add("m", _ => ScriptedModels.Says("4")).Add("n", _ => ScriptedModels.Says("5"));
        _router.Models.Score = (context, yes) => context == "Convert 5 km. 4 Right?" ? (yes == " yes" ? Math.Log(0.06) : Math.Log(0.02)) : (yes == " yes" ? Math.Log(0.5) : Math.Log(0.1));
        var decision = (await _router.RunAsync(policy)).Decision;
        Assert.Equal(0.75, decision.Stages[0].Signals["p_true"], 1e-9);
        // The judge is at 5/6, below 0.9.
        Assert.Equal(5.0 / 6, decision.Stages[0].Verifiers[0].Score, 1e-9);
        Assert.Equal(StageOutcome.Rejected, decision.Stages[0].Outcome);
        // One answer and four scores.
        Assert.Equal(5, decision.Stages[0].Cost);
    }

    [Fact]
    public async Task A_stage_that_is_not_there_fails_the_request_or_degrades_it()
    {
        _router.Models.Add("s", _ => ScriptedModels.Says("no json"));
        var error = (await Assert.ThrowsAsync<RouteFailedException>(() => _router.RunAsync(RouterHarness.Policy(Policies.TwoStages)))).Error;
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
        Assert.Contains("'l' is not deployed", error.Status.Detail, StringComparison.Ordinal);
        var result = await _router.RunAsync(RouterHarness.Policy(Policies.TwoStages + "\non_missing: degrade\n"));
        Assert.Equal("no json", result.Run.Answer.Text);
        Assert.True(result.Decision is { Degraded: true, Accepted: false, Model: "s" });
        Assert.Equal([StageOutcome.Given, StageOutcome.Failed], result.Decision.Stages.Select(s => s.Outcome));
    }

    [Fact]
    public async Task What_a_failed_request_has_cost_is_counted()
    {
        _router.Models.Add("s", _ => ScriptedModels.Says("no json"));
        var failed = await Assert.ThrowsAsync<RouteFailedException>(() => _router.RunAsync(RouterHarness.Policy(Policies.TwoStages)));
        Assert.Equal(1, failed.Decision.Cost);
    }

    [Fact]
    public async Task One_deadline_holds_for_the_whole_cascade()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages + "\ndeadline_ms: 1000\n");
        _router.Models.Add("s", _ =>
        {
            _router.Time.Advance(TimeSpan.FromMilliseconds(700));
            return ScriptedModels.Says("no json");
        }).Add("l", async (_, cancelled) =>
        {
            _router.Time.Advance(TimeSpan.FromMilliseconds(299));
            Assert.False(cancelled.IsCancellationRequested);
            _router.Time.Advance(TimeSpan.FromMilliseconds(1));
            await Task.Delay(Timeout.Infinite, cancelled);
            throw new InvalidOperationException("unreachable");
        });
        var error = (await Assert.ThrowsAsync<RouteFailedException>(() => _router.RunAsync(policy))).Error;
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        Assert.Contains("time for the whole request", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_requests_own_time_is_the_shorter_one()
    {
        _router.Models.Add("s", async (_, cancelled) =>
        {
            _router.Time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(Timeout.Infinite, cancelled);
            throw new InvalidOperationException("unreachable");
        });
        var policy = RouterHarness.Policy(Policies.TwoStages + "\ndeadline_ms: 1000\n");
        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RouteFailedException>(() => _router.RunAsync(policy, timeoutMs: 50))).Error.StatusCode);
    }

    [Fact]
    public async Task Stages_are_passed_over_where_their_conditions_do_not_hold()
    {
        var policy = RouterHarness.Policy("""
            name: when
            stages:
              - { name: a, model: m, when: { prompt_tokens: { at_most: 3 } } }
              - { name: b, model: n, when: { tenant: [gold] } }
              - { name: c, model: o }
            """);
        foreach (var model in new[] { "m", "n", "o" })
            _router.Models.Add(model, _ => ScriptedModels.Says(model));
        Assert.Equal("m", (await _router.RunAsync(policy, "short")).Run.Answer.Text);
        Assert.Equal("n", (await _router.RunAsync(policy, "a much longer prompt", "gold")).Run.Answer.Text);
        var plain = await _router.RunAsync(policy, "a much longer prompt", "lead");
        Assert.Equal("o", plain.Run.Answer.Text);
        Assert.Equal("It is not for the tenant 'lead'.", plain.Decision.Stages[1].Reason);
        Assert.True(plain.Decision.Fallback);
        var plan = _router.Cascade.Plan(policy, new RoutedRequest("x", "lead", new GenerateRequest { Text = "a much longer prompt" }));
        Assert.Equal("o", plan.Model);
        Assert.Equal([StageOutcome.Skipped, StageOutcome.Skipped, StageOutcome.Planned], plan.Stages.Select(s => s.Outcome));
    }

    [Fact]
    public async Task A_wrong_request_is_refused_and_not_escalated()
    {
        _router.Models.Add("s", _ => throw new RpcException(new Status(StatusCode.InvalidArgument, "bad"))).Add("l", _ => ScriptedModels.Says(Policies.GoodCall));
        Assert.Equal(StatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => _router.RunAsync(RouterHarness.Policy(Policies.TwoStages + "\non_missing: degrade\n")))).StatusCode);
    }

    [Fact]
    public async Task A_request_keeps_within_its_budget()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages + "\nrequest_budget: 15\n");
        _router.Models.Add("s", _ => ScriptedModels.Says("no json")).Add("l", _ => throw new InvalidOperationException("too dear"));
        var result = await _router.RunAsync(policy);
        Assert.True(result.Decision is { Degraded: true, Accepted: false, Cost: 1 });
        Assert.Contains("could cost 20", result.Decision.Stages[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_an_answer_that_nothing_is_demanded_of_is_streamed()
    {
        _router.Models.Add("s", _ => ScriptedModels.Says("no json")).Add("l", _ => ScriptedModels.Says(Policies.GoodCall));
        var pieces = new List<GenerateResponse>();
        var result = await _router.Cascade.RunAsync(RouterHarness.Policy(Policies.TwoStages), new RoutedRequest("d", "", new GenerateRequest { Text = "x" }), piece =>
        {
            pieces.Add(piece);
            return ValueTask.CompletedTask;
        }, TestContext.Current.CancellationToken);
        Assert.True(result.Streamed);
        Assert.Equal(Policies.GoodCall, Assert.Single(pieces).Text);
    }
}
