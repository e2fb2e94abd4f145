using System.Text.Json;
using Slm.Tokenization.Templates;
using Slm.Tools.Calls;

namespace Slm.Tools.Tests;

public sealed class ToolCallStyleTests
{
    private static readonly FunctionSpec Weather = new("get_weather", "The weather of a city.", """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}""");

    [Theory]
    [InlineData("qwen2.5", "hermes", true, true, true)]
    [InlineData("qwen3", "hermes", true, true, true)]
    [InlineData("llama32-tools", "llama3-json", true, true, true)]
    [InlineData("mistral-v3", "mistral", true, true, true)]
    [InlineData("deepseek_v3", "deepseek", false, false, true)]
    [InlineData("chatml", "hermes", false, false, false)]
    [InlineData("command-r", "hermes", false, false, false)]
    [InlineData("gemma3", "hermes", false, false, false)]
    public void A_template_shows_how_its_model_writes_calls(string template, string format, bool lists, bool writes, bool takes)
    {
        var style = ToolCallStyle.Of(Source(template));
        Assert.Equal((format, lists, writes, takes), (style.Format.Name, style.ListsTools, style.WritesCalls, style.TakesResults));
    }

    /// <summary>Templates in the manner of the models, as short as they can be.</summary>
    [Theory]
    [InlineData("{%- for t in tools %}{{ t }}{% endfor %}[TOOL_CALLS]{{ f }}[ARGS]{{ a }}", "mistral-args", true)]
    [InlineData("{% if tools %}{% endif %}<TOOLCALL>[{{ tool_calls }}]</TOOLCALL>", "nemotron", true)]
    [InlineData("{% if message['tools'] %}<|tool|>{{ message['tools'] }}<|/tool|>{% endif %}", "phi4-mini", false)]
    [InlineData("{% for tool in tools %}<|tool|>{{ tool }}<|/tool|>{% endfor %}<|tool_call|>{}<|/tool_call|>", "phi4-mini-object", true)]
    [InlineData("<|start_of_role|>{% if tools %}{% endif %}<|tool_call|>", "granite", true)]
    [InlineData("{% for tool in tools %}{% endfor %}<function={{ name }}>{{ arguments }}</function>", "functionary-3.1", true)]
    [InlineData("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{{ name }}<｜tool▁sep｜>", "deepseek-3.1", false)]
    [InlineData("{% for tool in tools %}{% endfor %}<tool_call>\n<function=f>\n<parameter=a>", "hermes", false)]
    public void Each_format_has_its_mark(string template, string format, bool lists)
    {
        var style = ToolCallStyle.Of(template);
        Assert.Equal((format, lists), (style.Format.Name, style.ListsTools));
    }

    /// <summary>The template itself is the reference: what it prints of a call that was made is what the model is to write.</summary>
    [Theory]
    [InlineData("qwen2.5")]
    [InlineData("qwen3")]
    [InlineData("llama32-tools")]
    [InlineData("mistral-v3")]
    public void What_the_template_prints_of_a_call_is_read_as_that_call(string template)
    {
        var style = ToolCallStyle.Of(Source(template));
        var call = new ChatToolCall(style.Format.NewId(), "get_weather", """{"city": "Oslo"}""");
        var printed = ChatTemplate.Parse(Source(template)).RenderConversation(new ChatTemplateInput
        {
            Messages = [new("user", "Weather?"), new("assistant", null) { ToolCalls = [call] }],
            BosToken = "<s>",
            EosToken = "</s>",
        });
        var (_, calls) = ToolCallParser.Read(printed, style.Format.Tags([Weather], true), style.Format);
        var read = Assert.Single(calls);
        Assert.Equal(("get_weather", "Oslo"), (read.Name, JsonElement.Parse(read.ArgumentsJson).GetProperty("city").GetString()));
    }

    [Fact]
    public void A_template_without_calls_gets_them_as_text()
    {
        ToolTurn[] turns =
        [
            new("user", "Weather?"),
            new("assistant", "") { Calls = [new("c1", "get_weather", """{"city": "Oslo"}"""), new("c2", "get_weather", """{"city": "Bergen"}""")] },
            new("tool", "rain") { CallId = "c1" },
            new("tool", "sun") { CallId = "c2" },
        ];
        var transcript = ToolTranscript.Of(turns, [Weather], ToolCallStyle.Generic);
        Assert.Empty(transcript.Functions);
        Assert.Equal(["system", "user", "assistant", "user"], transcript.Turns.Select(t => t.Role));
        Assert.Contains(Weather.ParametersJson, transcript.Turns[0].Content);
        Assert.Contains("<tool_call>\n{\"name\": \"get_weather\"", transcript.Turns[0].Content);
        var (_, calls) = ToolCallParser.Read(transcript.Turns[2].Content, ToolCallStyle.Generic.Format.Tags([Weather], true), ToolCallStyle.Generic.Format);
        Assert.Equal(2, calls.Count);
        Assert.Equal("<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n</tool_response>", transcript.Turns[3].Content);
        Assert.All(transcript.Turns, t => Assert.Empty(t.Calls));
    }

    [Fact]
    public void DeepSeek_s_history_is_written_for_it_and_its_template_takes_it()
    {
        var style = ToolCallStyle.Of(Source("deepseek_v3"));
        var transcript = ToolTranscript.Of(
            [new("user", "Weather?"), new("assistant", "") { Calls = [new("c", "get_weather", """{"city": "Oslo"}""")] }, new("tool", "rain") { CallId = "c" }], [Weather], style);
        var printed = ChatTemplate.Parse(Source("deepseek_v3")).Render(new ChatTemplateInput
        {
            Messages = [.. transcript.Turns.Select(t => new ChatTurn(t.Role, t.Content))],
            BosToken = "",
            EosToken = "",
        });
        Assert.Contains("<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", printed);
        Assert.Contains("rain", printed);
    }

    [Fact]
    public void References_of_parameters_count_from_the_schema_they_are_put_into()
    {
        var tree = new FunctionSpec("tree", "", """
            {"properties":{"root":{"$ref":"#/$defs/node"},"$ref":{"type":"string"},"x":{"const":{"$ref":"#/$defs/node"}}},
             "$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"all":{"$ref":"#"}}}}}
            """);
        var tag = ToolCallStyle.Formats.Single(f => f.Name == "mistral").Tags([Weather, tree], true)[0];
        var parameters = JsonElement.Parse(tag.JsonSchema).GetProperty("items").GetProperty("anyOf")[1].GetProperty("properties").GetProperty("arguments");
        const string Here = "#/items/anyOf/1/properties/arguments";
        Assert.Equal("object", parameters.GetProperty("type").GetString());
        Assert.Equal($"{Here}/$defs/node", parameters.GetProperty("properties").GetProperty("root").GetProperty("$ref").GetString());
        Assert.Equal("string", parameters.GetProperty("properties").GetProperty("$ref").GetProperty("type").GetString());
        Assert.Equal("#/$defs/node", parameters.GetProperty("properties").GetProperty("x").GetProperty("const").GetProperty("$ref").GetString());
        Assert.Equal(Here, parameters.GetProperty("$defs").GetProperty("node").GetProperty("properties").GetProperty("all").GetProperty("$ref").GetString());
    }

    [Theory]
    [InlineData("""{"properties":{"a":{}}}""", true)]
    [InlineData("""{"properties":{"a":{}},"additionalProperties":{"type":"string"}}""", false)]
    [InlineData("""{"properties":{"a":{}},"allOf":[{"properties":{"b":{}}}]}""", false)]
    [InlineData("{}", false)]
    public void Properties_that_are_listed_are_all_there_are(string parameters, bool closed)
    {
        var schema = JsonElement.Parse(ToolCallStyle.Formats.Single(f => f.Name == "functionary-3.1").Tags([new FunctionSpec("f", "", parameters)], true)[0].JsonSchema);
        Assert.Equal(closed, schema.TryGetProperty("additionalProperties", out var rest) && rest.ValueKind == JsonValueKind.False);
    }

    [Theory]
    [InlineData("hermes", ToolChoiceMode.Auto, true, false, 0)]
    [InlineData("hermes", ToolChoiceMode.Required, false, true, 1)]
    [InlineData("llama3-json", ToolChoiceMode.Required, true, true, 1)]
    [InlineData("mistral", ToolChoiceMode.Auto, true, false, 1)]
    public void The_choice_bounds_the_calls(string name, ToolChoiceMode mode, bool parallel, bool required, int max)
    {
        var language = ToolCallStyle.Formats.Single(f => f.Name == name).Language([Weather], new ToolChoice(mode, null, parallel));
        Assert.Equal((required, max), (language.Required, language.MaxTags));
    }

    private static string Source(string template) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "templates", $"{template}.jinja"));
}
