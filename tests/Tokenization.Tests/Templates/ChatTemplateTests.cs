using Slm.Tokenization.Templates;
using Xunit;

namespace Slm.Tokenization.Tests.Templates;

public sealed class ChatTemplateTests
{
    [Fact]
    public void A_conversation_is_rendered_with_the_special_tokens()
    {
        var template = ChatTemplate.Parse("{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{{ 'go' if add_generation_prompt }}{{ eos_token }}");
        var text = template.Render(new ChatTemplateInput
        {
            Messages = [new("user", "hi"), new("assistant", "ho")],
            AddGenerationPrompt = true,
            BosToken = "<s>",
            EosToken = "</s>",
        });
        Assert.Equal("<s>user:hi;assistant:ho;go</s>", text);
    }

    [Fact]
    public void Tools_are_none_without_tools_and_openai_shaped_with()
    {
        var template = ChatTemplate.Parse("{{ tools | tojson }}");
        Assert.Equal("null", template.Render(new ChatTemplateInput { Messages = [] }));
        Assert.Equal(
            """[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]""",
            template.Render(new ChatTemplateInput { Messages = [], Tools = [new("f", "d", """{"type":"object"}""")] }));
    }

    [Fact]
    public void Tool_calls_carry_their_arguments_as_a_dict()
    {
        var template = ChatTemplate.Parse("{% for m in messages %}{{ m.tool_calls[0].function.arguments.a if m.tool_calls }}{{ m.tool_call_id }}{% endfor %}");
        var text = template.Render(new ChatTemplateInput
        {
            Messages = [new("assistant", null) { ToolCalls = [new("id1", "f", """{"a": 5}""")] }, new("tool", "5") { ToolCallId = "id1" }],
        });
        Assert.Equal("5id1", text);
    }

    [Fact]
    public void A_message_without_calls_has_no_such_key()
    {
        var template = ChatTemplate.Parse("{{ 'tool_calls' in messages[0] }}{{ messages[0].name is defined }}");
        Assert.Equal("FalseFalse", template.Render(new ChatTemplateInput { Messages = [new("user", "x")] }));
    }

    [Fact]
    public void Variables_reach_the_template_and_win()
    {
        var template = ChatTemplate.Parse("{{ enable_thinking }}{{ bos_token }}{{ list[1].k }}");
        var text = template.Render(new ChatTemplateInput
        {
            Messages = [],
            BosToken = "<s>",
            Variables = new Dictionary<string, object?>
            {
                ["enable_thinking"] = false,
                ["bos_token"] = "B",
                ["list"] = new object?[] { 1, new Dictionary<string, object?> { ["k"] = 2.5f } },
            },
        });
        Assert.Equal("FalseB2.5", text);
    }

    [Fact]
    public void A_refusal_carries_the_templates_own_words()
    {
        var template = ChatTemplate.Parse("x\n{{ raise_exception('roles must alternate') }}");
        var error = Assert.Throws<TemplateException>(() => template.Render(new ChatTemplateInput { Messages = [] }));
        Assert.Equal(TemplateErrorKind.Raised, error.Kind);
        Assert.Equal("roles must alternate", error.Reason);
        Assert.Equal(2, error.Line);
    }

    [Fact]
    public void A_template_can_be_rendered_on_many_threads()
    {
        var template = ChatTemplate.Parse("{% set ns = namespace(n=0) %}{% for i in range(50) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ x }}");
        Parallel.For(0, 64, i => Assert.Equal($"1225{i}", template.RenderVariables(new Dictionary<string, object?> { ["x"] = i })));
    }
}
