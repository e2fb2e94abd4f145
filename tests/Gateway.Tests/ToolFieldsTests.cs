using System.Text.Json;
using Slm.Gateway.OpenAi;
using Slm.Gateway.OpenAi.Tools;
using Slm.Tools.Calls;

namespace Slm.Gateway.Tests;

public sealed class ToolFieldsTests
{
    private const string Two = """
        "tools": [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}, "strict": true}},
                  {"type": "function", "function": {"name": "now"}}]
        """;

    [Fact]
    public void Functions_are_read_with_schema_and_strictness()
    {
        var tools = Parse($$"""{ {{Two}} }""");
        Assert.Equal(["add", "now"], tools.Functions.Select(f => f.Name));
        Assert.Equal([true, false], tools.Functions.Select(f => f.Strict));
        Assert.Equal("Adds.", tools.Functions[0].Description);
        Assert.Equal("number", JsonElement.Parse(tools.Functions[0].ParametersJson).GetProperty("properties").GetProperty("a").GetProperty("type").GetString());
        Assert.False(JsonElement.Parse(tools.Functions[1].ParametersJson).GetProperty("additionalProperties").GetBoolean());
        Assert.Equal(new ToolChoice(ToolChoiceMode.Auto), tools.Choice);
    }

    [Theory]
    [InlineData("\"none\"", ToolChoiceMode.None, null, true)]
    [InlineData("\"required\"", ToolChoiceMode.Required, null, true)]
    [InlineData("{\"type\":\"function\",\"function\":{\"name\":\"now\"}}", ToolChoiceMode.Required, "now", false)]
    [InlineData("{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\"}}]}}", ToolChoiceMode.Auto, "add", true)]
    public void The_choice_is_read(string choice, ToolChoiceMode mode, string? name, bool parallel)
    {
        var read = Parse($$"""{ {{Two}}, "tool_choice": {{choice}} }""").Choice;
        Assert.Equal((mode, name, parallel), (read.Mode, read.Names?.Single(), read.Parallel));
    }

    [Fact]
    public void Parallel_calls_can_be_switched_off() => Assert.False(Parse($$"""{ {{Two}}, "parallel_tool_calls": false }""").Choice.Parallel);

    [Fact]
    public void Without_tools_nothing_is_called() => Assert.Equal(ToolChoiceMode.None, Parse("""{ "tools": [], "tool_choice": "auto" }""").Choice.Mode);

    [Theory]
    [InlineData("""{"tools": {}}""", "tools")]
    [InlineData("""{"tools": [{"type": "web_search"}]}""", "tools[0].type")]
    [InlineData("""{"tools": [{"type": "function"}]}""", "tools[0].function")]
    [InlineData("""{"tools": [{"type": "function", "function": {}}]}""", "tools[0].function.name")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "a b"}}]}""", "tools[0].function.name")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}""", "tools[0].function.parameters")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]}""", "tools[0].function.parameters.type")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f", "stric": true}}]}""", "tools[0].function.stric")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}]}""", "tools")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "always"}""", "tool_choice")]
    [InlineData("""{"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"}}}""", "tool_choice")]
    [InlineData("""{"tool_choice": "required"}""", "tool_choice")]
    [InlineData("""{"functions": [{"name": "f"}]}""", "functions")]
    public void What_is_wrong_is_named(string body, string param)
    {
        var error = Assert.Throws<OpenAiException>(() => Parse(body));
        Assert.Equal((param, 400), (error.Param, error.Status));
    }

    private static ToolRequest Parse(string json) => ToolFields.Read(new RequestFields(JsonElement.Parse(json)));
}
