using Slm.Gateway.OpenAi;
using Slm.Gateway.OpenAi.Constraints;
using Slm.Gateway.OpenAi.Tools;
using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.Gateway.Tests;

public sealed class AnswerPlanTests
{
    private static readonly FunctionSpec Add = new("add", "", """{"type":"object","properties":{"a":{"type":"number"}}}""");
    private static readonly ToolCallStyle Native = new(ToolCallStyle.Formats.Single(f => f.Name == "hermes"), true, true, true);

    [Fact]
    public void Calls_that_may_be_made_stand_in_free_text()
    {
        var request = Request();
        AnswerPlan.Make(request, [Add], new ToolChoice(ToolChoiceMode.Auto), null, Native);
        Assert.Equal("add", Assert.Single(request.Messages.Tools).Name);
        Assert.False(request.Constraint.TaggedText.Required);
        Assert.True(request.Constraint.Lenient);
        Assert.Equal("<tool_call>\n", Assert.Single(request.Constraint.TaggedText.Tags).Begin);
        Assert.Equal(["<tool_call>"], request.Constraint.TaggedText.Triggers);
    }

    [Fact]
    public void A_strict_function_is_enforced_exactly()
    {
        var request = Request();
        AnswerPlan.Make(request, [Add, Add with { Name = "exact", Strict = true }], new ToolChoice(ToolChoiceMode.Required), null, Native);
        Assert.True(request.Constraint.TaggedText.Required);
        Assert.False(request.Constraint.Lenient);
    }

    [Fact]
    public void A_schema_beside_tools_is_one_more_kind_of_answer()
    {
        var request = Request();
        var plan = AnswerPlan.Make(request, [Add], new ToolChoice(ToolChoiceMode.Auto), new AskedConstraint(new Constraint { JsonSchema = "{}" }, "response_format"), Native);
        var tags = request.Constraint.TaggedText.Tags;
        Assert.Equal(2, tags.Count);
        Assert.Equal("{}", tags[1].JsonSchema);
        Assert.True(request.Constraint.TaggedText.Required);
        var (text, calls) = plan.Read($"{tags[1].Begin}{{\"a\": 1}}{tags[1].End}");
        Assert.Equal(("{\"a\": 1}", 0), (text, calls.Count));
        Assert.Equal("tools", plan.FieldName("constraint.tagged_text.tags[0].json_schema"));
        Assert.Equal("response_format", plan.FieldName("constraint.tagged_text.tags[1].json_schema"));
    }

    [Fact]
    public void A_grammar_beside_tools_that_may_be_called_is_refused()
    {
        var error = Assert.Throws<OpenAiException>(() =>
            AnswerPlan.Make(Request(), [Add], new ToolChoice(ToolChoiceMode.Auto), new AskedConstraint(new Constraint { Grammar = "root ::= \"a\"" }, "grammar"), Native));
        Assert.Equal("grammar", error.Param);
    }

    [Fact]
    public void Special_tokens_stay_where_they_mark_calls()
    {
        var request = Request();
        AnswerPlan.Make(request, [Add], new ToolChoice(ToolChoiceMode.Auto), null, new ToolCallStyle(ToolCallStyle.Formats.Single(f => f.Name == "mistral"), true, true, true));
        Assert.True(request.Sampling is { HasSkipSpecialTokens: true, SkipSpecialTokens: false });
    }

    private static GenerateRequest Request() => new()
    {
        Model = "m",
        Sampling = new SamplingOptions(),
        Messages = new Messages { Messages_ = { new ChatMessage { Role = "user", Content = "1 + 2?" } } },
    };
}
