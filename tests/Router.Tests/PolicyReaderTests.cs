using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class PolicyReaderTests
{
    [Fact]
    public void A_policy_says_what_each_stage_demands()
    {
        var policy = RouterHarness.Policy("""
            name: calls
            deadline_ms: 2000
            on_missing: degrade
            request_budget: 50
            budget: { limit: 1000, window_s: 60 }
            shadow: { policy: other, share: 0.25 }
            constrain: true
            schema: { type: object, required: [x], properties: { x: { type: number, minimum: 0.5 } } }
            stages:
              - model: s
                max_tokens: 64
                samples: 3
                repairs: 2
                verify:
                  - schema
                  - consistency: { at_least: 0.6 }
                  - unit: { pointer: /x, minimum: 1, maximum: 9 }
                  - judge: { model: j, template: "{prompt}{answer} right?", at_least: 0.5 }
                accept: { signal: entropy, at_most: 0.2 }
                when: { prompt_tokens: { at_most: 100 }, tenant: [a, b] }
              - name: far
                model: endpoint:cloud/big-1
                max_tokens: 64
                draft: false
            """, "cloud");
        Assert.Equal(TimeSpan.FromSeconds(2), policy.Deadline);
        Assert.Equal((OnMissing.Degrade, AnswerKind.Json, true, (double?)50), (policy.OnMissing, policy.Answer, policy.Constrain, policy.RequestBudget));
        Assert.Equal(new SpendLimit(1000, TimeSpan.FromMinutes(1)), policy.Budget);
        Assert.Equal(new ShadowRule("other", 0.25), policy.Shadow);
        var stage = policy.Stages[0];
        Assert.Equal(("stage1", "far", 3, 2), (stage.Name, stage.Next, stage.Samples, stage.Repairs));
        Assert.Equal(["schema", "consistency", "unit", "judge"], stage.Verify.Select(v => v.Name));
        Assert.Equal(((double?)null, (double?)0.2), (stage.Accept!.AtLeast, stage.Accept.AtMost));
        Assert.Equal(["tenant", "prompt_tokens"], stage.When.Select(w => w.Feature));
        Assert.Equal(("cloud", "big-1"), (policy.Stages[1].Model.Endpoint, policy.Stages[1].Model.Model));
        // Plain YAML scalars are JSON's types.
        using var document = System.Text.Json.JsonDocument.Parse("""{"x": 0.4}""");
        Assert.Equal("minimum", Assert.Single(policy.Schema!.Validate(document.RootElement)).Keyword);
    }

    [Fact]
    public void All_problems_are_named_at_once_with_their_lines()
    {
        var (_, problems) = PolicyReader.TryRead("""
            name: a b
            deadline_ms: 0
            colour: red
            stages:
              - model: auto
                max_tokens: many
                accept: { signal: mean_logprob, at_least: 0.5 }
                verify:
                  - executable
                  - guess
              - model: endpoint:nowhere/x
                temperature: -1
                accept:
                  signal: sureness
                  at_least: 1
                  at_most: 2
            """, new HashSet<string>());
        Assert.Equal(
            [
                (1, "name"), (2, "deadline_ms"), (3, "colour"), (5, "stages[0].model"), (6, "stages[0].max_tokens"), (7, "stages[0].accept.at_least"),
                (9, "stages[0].verify[0]"), (10, "stages[0].verify[1]"), (11, "stages[1].model"), (12, "stages[1].temperature"), (14, "stages[1].accept.signal"), (16, "stages[1].accept.at_most"),
            ],
            problems.Select(p => (p.Line, p.Field)));
        Assert.Contains("at most 0", problems[5].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stages: []", 1, "at least one stage")]
    [InlineData("stages: [{ name: a, model: m, next: a }]", 1, "a → a")]
    [InlineData("stages:\n - { name: a, model: m, next: b }\n - { name: b, model: m, next: a }", 3, "a → b → a")]
    [InlineData("stages:\n - { name: a, model: m, next: none }\n - { name: b, model: m }", 3, "no stage leads to")]
    [InlineData("stages: [{ name: a, model: m, next: c }]", 1, "no stage of that name")]
    [InlineData("stages:\n - { name: a, model: m }\n - { name: a, model: m }", 1, "a name of its own")]
    [InlineData("stages: [{ model: m, accept: { signal: consistency, at_least: 0.5 } }]", 1, "needs samples")]
    [InlineData("stages: [{ model: m, accept: { signal: entropy, at_most: 1.5 } }]", 1, "from 0 to 1")]
    [InlineData("stages: [{ model: m, accept: { signal: mean_logprob, at_least: -1, calibration: { kind: logistic, bias: 1, weight: 2 } } }]", 1, "from 0 to 1")]
    [InlineData("stages: [{ model: m, accept: { signal: entropy, at_least: 0.5, calibration: { kind: isotonic, scores: [1, 1], values: [0, 1] } } }]", 1, "not above the one before")]
    [InlineData("stages: [{ model: m, repairs: 1 }]", 1, "need checks")]
    [InlineData("stages: [{ model: m, when: { load: { at_least: 5, at_most: 2 } } }]", 1, "nothing fits")]
    [InlineData("request_budget: 5\nstages: [{ model: m }]", 1, "needs max_tokens")]
    [InlineData("constrain: true\nstages: [{ model: m }]", 1, "needs a schema")]
    [InlineData("schema: { $ref: 'other.json' }\nstages: [{ model: m }]", 1, "outside of this document")]
    [InlineData("tools: [{ name: f, parameters: { $ref: '#/$defs/x' } }]\nstages: [{ model: m }]", 1, "leads nowhere")]
    public void What_cannot_work_is_refused(string rest, int line, string message)
    {
        var (_, problems) = PolicyReader.TryRead(rest + "\nname: p\n", new HashSet<string>());
        Assert.Contains(problems, p => p.Line == line && p.Message.Contains(message, StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_no_YAML_is_refused() => Assert.Contains("no YAML", Assert.Single(PolicyReader.TryRead("stages: [", new HashSet<string>()).Problems).Message, StringComparison.Ordinal);

    [Fact]
    public void References_within_a_tools_parameters_hold_in_the_schema_of_calls()
    {
        var policy = RouterHarness.Policy("""
            name: p
            tools:
              - name: f
                parameters: { $defs: { n: { type: integer } }, properties: { x: { $ref: '#/$defs/n' } }, required: [x] }
            stages: [{ model: m }]
            """);
        using var good = System.Text.Json.JsonDocument.Parse("""[{"name": "f", "arguments": {"x": 1}}]""");
        using var bad = System.Text.Json.JsonDocument.Parse("""[{"name": "f", "arguments": {"x": "1"}}]""");
        Assert.Empty(policy.Schema!.Validate(good.RootElement));
        Assert.NotEmpty(policy.Schema.Validate(bad.RootElement));
    }
}
