using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

/// <summary>Answers held to a constraint, over gRPC, with the shipped model, which has read nothing but stories.</summary>
public sealed class ConstraintTests(Platform platform)
{
    private const string Model = "stories";

    private const string Person = """
        {"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":12},"age":{"type":"integer","minimum":0,"maximum":130},"tags":{"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true,"maxItems":3}},"required":["name","age","tags"],"additionalProperties":false}
        """;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_are_valid_at_any_seed_and_end_by_themselves()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(async seed =>
        {
            var request = Request(Person, (ulong)seed);
            if (seed % 3 == 0)
                request.Constraint.JsonForm.Whitespace = JsonWhitespace.Compact;
            return await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        }));
        foreach (var answer in answers)
        {
            Assert.Equal(FinishReason.Stop, answer.FinishReason);
            using var json = JsonDocument.Parse(answer.Text);
            var root = json.RootElement;
            var age = root.GetProperty("age").GetDouble();
            Assert.True(age is >= 0 and <= 130 && age == Math.Floor(age));
            Assert.InRange(new StringInfo(root.GetProperty("name").GetString()!).LengthInTextElements, 1, 12);
            var tags = root.GetProperty("tags").EnumerateArray().Select(t => t.GetString()!).ToList();
            Assert.Equal(tags.Count, tags.Distinct().Count());
            Assert.All(tags, t => Assert.Contains(t, (string[])["a", "b", "c"]));
            Assert.Equal(3, root.EnumerateObject().Count());
        }

        Assert.True(answers.Select(a => a.Text).Distinct().Count() > 6);
    }

    [Fact]
    public async Task An_answer_does_not_depend_on_speculation_or_on_where_it_was_broken_off()
    {
        var request = Request(Person, 5);
        request.Constraint.JsonForm = new JsonForm { Whitespace = JsonWhitespace.Compact, SchemaOrder = true };
        request.Speculation = Speculation.None;
        var whole = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        request.Speculation = Speculation.Ngram;
        var drafted = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal(whole.TokenIds, drafted.TokenIds);

        // Names of properties are not a matter of choice: they are proposed, and right.
        Assert.True(whole.Usage.AcceptedDraftTokens > 0);
        for (var cut = 1; cut < whole.TokenIds.Count; cut += 3)
        {
            var rest = request.Clone();
            rest.ResumeTokenIds.AddRange(whole.TokenIds.Take(cut));
            var answer = await platform.Inference.GenerateOnceAsync(rest, cancellationToken: Cancelled);
            Assert.Equal(whole.TokenIds.Skip(cut), answer.TokenIds);
        }

        var foreign = request.Clone();
        foreign.ResumeTokenIds.AddRange((await platform.Tokens.EncodeAsync(new EncodeRequest { Model = Model, Text = "Once" }, cancellationToken: Cancelled)).Ids);
        var error = await Assert.ThrowsAsync<RpcException>(async () => await platform.Inference.GenerateOnceAsync(foreign, cancellationToken: Cancelled));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("resume_token_ids", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_probabilities_are_those_of_the_model_without_the_constraint()
    {
        var request = Request(Person, 9);
        request.Sampling.Logprobs = true;
        request.Sampling.TopLogprobs = 2;
        var answer = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        var score = await platform.Inference.ScoreAsync(
            new ScoreRequest { Model = Model, Text = request.Text, ContinuationIds = new TokenIds { Ids = { answer.TokenIds } } }, cancellationToken: Cancelled);
        Assert.Equal(score.Tokens.Select(t => t.Logprob), answer.Logprobs.Select(t => t.Logprob));
    }

    [Fact]
    public async Task Expressions_grammars_choices_and_tags_hold()
    {
        async Task<string> Answer(Constraint constraint)
        {
            var request = Request("{}", 2);
            request.Constraint = constraint;
            var answer = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
            Assert.Equal(FinishReason.Stop, answer.FinishReason);
            return answer.Text;
        }

        Assert.Matches("^[0-9]{3}-[a-f]{2}$", await Answer(new Constraint { Regex = "[0-9]{3}-[a-f]{2}" }));
        Assert.Matches("^(\\(*)x(\\)*)$", await Answer(new Constraint { Grammar = "root ::= \"x\" | \"(\" root \")\"" }));
        Assert.Contains(await Answer(new Constraint { Choice = new Choices { Texts = { "red", "green", "blue" } } }), (string[])["red", "green", "blue"]);
        var tags = new TaggedText { Required = true, MaxTags = 1, Tags = { new Tag { Begin = "<call>", End = "</call>", JsonSchema = """{"type":"integer","minimum":1,"maximum":9}""" } } };
        Assert.Matches("^<call>[1-9](\\.0+)?</call>$", await Answer(new Constraint { TaggedText = tags }));
    }

    [Fact]
    public async Task The_limit_of_tokens_cuts_an_answer_and_says_so()
    {
        var request = Request(Person, 1);
        request.Sampling.MaxTokens = 4;
        Assert.Equal(FinishReason.Length, (await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled)).FinishReason);
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"pattern":"(a)\\1"}}}""", "/properties/a/pattern")]
    [InlineData("""{"type":"strin"}""", "/type")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":1}""", "No value satisfies the schema")]
    [InlineData("{", "no JSON")]
    public async Task What_cannot_be_enforced_is_refused_by_name(string schema, string named)
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await platform.Inference.GenerateOnceAsync(Request(schema, 0), cancellationToken: Cancelled));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains(named, error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_check_says_what_is_enforced()
    {
        var constraint = new Constraint { JsonSchema = """{"title":"t","type":"object","unevaluatedProperties":false}""" };
        var refused = await platform.Inference.CheckConstraintAsync(new CheckConstraintRequest { Constraint = constraint }, cancellationToken: Cancelled);
        Assert.False(refused.Accepted);
        Assert.Equal(Enforcement.Refused, refused.Keywords.Single(k => k.Pointer == "/unevaluatedProperties").Enforcement);
        constraint.Lenient = true;
        var lenient = await platform.Inference.CheckConstraintAsync(new CheckConstraintRequest { Constraint = constraint }, cancellationToken: Cancelled);
        Assert.True(lenient.Accepted);
        Assert.Equal(Enforcement.Ignored, lenient.Keywords.Single(k => k.Pointer == "/unevaluatedProperties").Enforcement);
        Assert.Equal(Enforcement.Annotation, lenient.Keywords.Single(k => k.Pointer == "/title").Enforcement);
    }

    private static GenerateRequest Request(string schema, ulong seed) => new()
    {
        Model = Model,
        Text = "Once upon a time",
        Sampling = new SamplingOptions { Temperature = 1, Seed = seed, MaxTokens = 300 },
        Constraint = new Constraint { JsonSchema = schema, JsonForm = new JsonForm { MaxWhitespace = 2 } },
    };
}
