using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

/// <summary>A platform with routing policies of its own.</summary>
public sealed class RoutedPlatform : Platform
{
    private readonly string _folder;

    /// <summary>Writes the policies.</summary>
    public RoutedPlatform()
        : this(Directory.CreateTempSubdirectory("slm-router-").FullName)
    {
    }

    private RoutedPlatform(string folder)
        : base([$"--Slm:Router:Policies={folder}", $"--Slm:Router:File={folder}/router.db", "--Slm:Router:DefaultPolicy=unsure"])
    {
        _folder = folder;
        // The first never accepts: its answers become drafts of the second, which is the same model.
        Write("unsure", """
            name: unsure
            stages:
              - { name: first, model: qwen3-f32, max_tokens: 12, temperature: 0, accept: { signal: mean_logprob, at_least: 0 } }
              - { name: second, model: qwen3-f32, max_tokens: 12, temperature: 0, cost: { completion_token: 10 } }
            """);
        Write("sure", """
            name: sure
            shadow: { policy: unsure }
            stages:
              - { name: first, model: qwen3-f32, max_tokens: 12, temperature: 0, accept: { signal: mean_logprob, at_least: -1000 } }
              - { name: second, model: no-such-model }
            """);
        Write("missing", "name: missing\nstages: [{ model: no-such-model }]");
        Write("faulty", "name: faulty\nstages: []");
    }

    /// <summary>The router.</summary>
    public RouterService.RouterServiceClient Router => new(Channel);

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, $"{name}.yaml"), text);
}

public sealed class RouterTests(RoutedPlatform platform) : IClassFixture<RoutedPlatform>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_unsure_answer_is_the_draft_of_the_next_stage_and_changes_nothing()
    {
        var alone = await platform.Inference.GenerateOnceAsync(new GenerateRequest { Model = "qwen3-f32", Text = "abc", Sampling = new SamplingOptions { MaxTokens = 12, Temperature = 0 } }, cancellationToken: Cancelled);
        var routed = await platform.Router.GenerateOnceAsync(Request(), cancellationToken: Cancelled);
        Assert.Equal(alone.TokenIds, routed.Answer.TokenIds);
        Assert.Equal(alone.Text, routed.Answer.Text);
        var decision = routed.Decision;
        Assert.Equal([StageOutcome.Rejected, StageOutcome.Accepted], decision.Stages.Select(s => s.Outcome));
        Assert.Equal(("unsure", "qwen3-f32", true, 132.0), (decision.Policy, decision.Model, decision.Fallback, decision.Cost));
        Assert.True(decision.Stages[1].DraftedTokens > 0);
        Assert.Equal(decision.Stages[1].DraftedTokens, decision.Stages[1].AcceptedDraftTokens);
        Assert.True(decision.Stages[0].Signals["entropy"] is > 0 and <= 1 && decision.Stages[0].Signals["min_logprob"] <= decision.Stages[0].Signals["mean_logprob"]);
        Assert.True(decision.Energy is null or { Joules: >= 0, Source: not EnergySource.Unspecified });
    }

    [Fact]
    public async Task Pieces_stream_before_the_decision()
    {
        using var call = platform.Router.Generate(Request(), cancellationToken: Cancelled);
        var parts = await call.ResponseStream.ReadAllAsync(Cancelled).ToListAsync(Cancelled);
        Assert.True(parts.Count > 2);
        Assert.All(parts.SkipLast(1), p => Assert.Equal(RoutedResponse.PartOneofCase.Piece, p.PartCase));
        Assert.Equal("second", parts[^1].Decision.Stages[^1].Stage);
    }

    [Fact]
    public async Task Decisions_are_recorded_reported_on_and_summed_up_and_shadows_apart()
    {
        var routed = await platform.Router.GenerateOnceAsync(Request("sure"), cancellationToken: Cancelled);
        Assert.Equal(("first", false), (routed.Decision.Stages[^1].Stage, routed.Decision.Fallback));
        var reported = await platform.Router.ReportOutcomeAsync(new ReportOutcomeRequest { DecisionId = routed.Decision.Id, Success = true }, cancellationToken: Cancelled);
        Assert.True(reported.Success);
        var summary = await platform.Router.SummarizeAsync(new SummarizeRequest { Policy = "sure" }, cancellationToken: Cancelled);

        // Others ask by the same policy, and say nothing of what came of it.
        Assert.True(summary.Requests >= 1);
        Assert.Equal((1, 12.0), (summary.Success.Count, summary.CostPerSuccess));
        RouteDecision? shadow = null;
        while (shadow is null)
        {
            var listed = await platform.Router.ListDecisionsAsync(new ListDecisionsRequest { Policy = "unsure", Shadows = true }, cancellationToken: Cancelled);
            shadow = listed.Decisions.FirstOrDefault(d => d.HasShadowOf && d.ShadowOf == routed.Decision.Id);
        }

        Assert.Equal(132, shadow.Cost);
        Assert.DoesNotContain((await platform.Router.ListDecisionsAsync(new ListDecisionsRequest(), cancellationToken: Cancelled)).Decisions, d => d.HasShadowOf);
        var metrics = await platform.Web.GetStringAsync("/metrics", Cancelled);
        Assert.Contains("slm_router_requests", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_HTTP_the_model_auto_is_the_router()
    {
        using var response = await platform.Web.PostAsJsonAsync("/v1/completions", new { model = "auto", prompt = "abc", max_tokens = 12, temperature = 0 }, Cancelled);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancelled));
        using var document = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancelled));
        var routed = await platform.Router.GenerateOnceAsync(Request(), cancellationToken: Cancelled);
        Assert.Equal(routed.Answer.Text, document.RootElement.GetProperty("choices")[0].GetProperty("text").GetString());
        var id = Assert.Single(response.Headers.GetValues("x-slm-decision"));
        var decisions = await platform.Router.ListDecisionsAsync(new ListDecisionsRequest { Policy = "unsure" }, cancellationToken: Cancelled);
        Assert.Contains(decisions.Decisions, d => d.Id == id);

        using var stream = await platform.Web.PostAsJsonAsync("/v1/completions", new { model = "auto:sure", prompt = "abc", max_tokens = 12, temperature = 0, stream = true }, Cancelled);
        var events = await stream.Content.ReadAsStringAsync(Cancelled);
        Assert.EndsWith("data: [DONE]\n\n", events, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"length\"", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_that_are_listed_include_the_usable_policies()
    {
        using var document = JsonDocument.Parse(await platform.Web.GetStringAsync(new Uri("/v1/models", UriKind.Relative), Cancelled));
        var ids = document.RootElement.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()).ToArray();
        Assert.Superset(new HashSet<string?> { "auto", "auto:sure", "auto:unsure" }, ids.ToHashSet());
        Assert.DoesNotContain("auto:faulty", ids);
        using var one = JsonDocument.Parse(await platform.Web.GetStringAsync(new Uri("/v1/models/auto:sure", UriKind.Relative), Cancelled));
        Assert.True(one.RootElement.GetProperty("max_model_len").GetInt32() > 0);
    }

    [Fact]
    public async Task What_cannot_be_routed_says_why()
    {
        var missing = await Assert.ThrowsAsync<RpcException>(() => platform.Router.GenerateOnceAsync(Request("missing"), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.Unavailable, missing.StatusCode);
        Assert.Contains("'no-such-model' is not deployed", missing.Status.Detail, StringComparison.Ordinal);
        var unknown = await Assert.ThrowsAsync<RpcException>(() => platform.Router.GenerateOnceAsync(Request("unknown"), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("Not usable: faulty.yaml", unknown.Status.Detail, StringComparison.Ordinal);
        var named = Request();
        named.Request.Model = "qwen3-f32";
        Assert.Equal(StatusCode.InvalidArgument, (await Assert.ThrowsAsync<RpcException>(() => platform.Router.GenerateOnceAsync(named, cancellationToken: Cancelled).ResponseAsync)).StatusCode);
        var policies = await platform.Router.ListPoliciesAsync(new ListPoliciesRequest(), cancellationToken: Cancelled);
        Assert.Contains("at least one stage", Assert.Single(policies.Policies.Single(p => p.Name == "faulty").Problems).Message, StringComparison.Ordinal);
        Assert.Equal("unsure", policies.DefaultPolicy);
    }

    [Fact]
    public async Task A_route_names_the_first_stage_and_generates_nothing()
    {
        var decision = await platform.Router.RouteAsync(Request("missing"), cancellationToken: Cancelled);
        Assert.Equal(("no-such-model", StageOutcome.Planned), (decision.Model, decision.Stages[0].Outcome));
    }

    [Fact]
    public async Task A_policy_is_evaluated_and_tuned_on_a_suite()
    {
        var answer = (await platform.Router.GenerateOnceAsync(Request(), cancellationToken: Cancelled)).Answer.Text;
        var cases = Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(new { id = $"{i}", category = i % 2 == 0 ? "even" : "odd", prompt = i % 3 == 0 ? "abc" : $"x{i}", answers = new[] { answer.Trim() } })).ToArray();
        var request = new EvaluatePolicyRequest { PolicyName = "unsure", AllStages = true };
        request.Cases.Add(cases);
        using var call = platform.Router.EvaluatePolicy(request, cancellationToken: Cancelled);
        var parts = await call.ResponseStream.ReadAllAsync(Cancelled).ToListAsync(Cancelled);
        Assert.Equal(31, parts.Count);
        var report = parts[^1].Report;
        Assert.Equal((30, parts.Count(p => p.CaseResult is { Correct: true })), (report.Correct.Total, report.Correct.Count));
        Assert.True(report.Correct.Count >= 10);
        Assert.Equal(["even", "odd"], report.ByCategory.Keys.Order(StringComparer.Ordinal));
        // Both stages are the same model.
        Assert.Equal(report.Stages[0].Summary.Success, report.Stages[1].Summary.Success);
        Assert.True(Assert.Single(report.Curves).Points.Count > 2);

        var tune = new TunePolicyRequest { PolicyName = "unsure", TargetRisk = 0.9 };
        tune.Cases.Add(cases);
        using var tuning = platform.Router.TunePolicy(tune, cancellationToken: Cancelled);
        var tuned = (await tuning.ResponseStream.ReadAllAsync(Cancelled).ToListAsync(Cancelled))[^1].Tuned;
        Assert.Equal(30, Assert.Single(tuned.Stages).Outcomes);
        Assert.Empty((await platform.Router.CheckPolicyAsync(new CheckPolicyRequest { PolicyYaml = tuned.PolicyYaml }, cancellationToken: Cancelled)).Problems);
    }

    [Fact]
    public async Task A_token_that_a_constraint_forces_is_marked_and_left_out_of_the_signals()
    {
        async Task<TokenLogProb> FirstOf(params string[] texts)
        {
            var request = new GenerateRequest { Model = "qwen3-f32", Text = "abc", Sampling = new SamplingOptions { Temperature = 0, Logprobs = true }, Constraint = new Constraint { Choice = new Choices() } };
            request.Constraint.Choice.Texts.Add(texts);
            return (await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled)).Logprobs[0];
        }

        var forced = await FirstOf("a");
        Assert.True(forced.Forced);
        // What the model thought of it stays told.
        Assert.True(forced.Logprob < 0);
        Assert.False((await FirstOf("a", "b")).Forced);
    }

    private static RouteRequest Request(string? policy = null)
    {
        var request = new RouteRequest { Request = new GenerateRequest { Text = "abc" } };
        if (policy is not null)
            request.Policy = policy;
        return request;
    }
}
