namespace Slm.Router.Tests;

/// <summary>Policies that several tests use.</summary>
internal static class Policies
{
    /// <summary>A small model, then a large one, for one tool.</summary>
    public const string TwoStages = """
        name: two
        tools:
          - name: convert
            parameters:
              type: object
              properties: { value: { type: integer }, unit: { enum: [km, mi] } }
              required: [value, unit]
              additionalProperties: false
        stages:
          - name: small
            model: s
            max_tokens: 20
            cost: { request: 1 }
            verify: [schema, executable]
            accept: { signal: mean_logprob, at_least: -0.5 }
          - name: large
            model: l
            max_tokens: 20
            cost: { request: 20 }
        """;

    public const string GoodCall = """[{"name":"convert","arguments":{"value":5,"unit":"km"}}]""";
}
