using System.Text.Json.Nodes;

namespace Slm.RouterBenchmarks;

/// <summary>A call, and the words that ask for it.</summary>
internal sealed record ToolCall(string Name, string Words, (string Name, object Value)[] Arguments)
{
    /// <summary>The call as models are to write it.</summary>
    public JsonObject ToJson() => new()
    {
        ["name"] = Name,
        ["arguments"] = new JsonObject(Arguments.Select(a => KeyValuePair.Create<string, JsonNode?>(a.Name, Node(a.Value)))),
    };

    /// <summary>The call as suites hold it: accepted values of each argument.</summary>
    public JsonObject ToExpectation() => new()
    {
        ["name"] = Name,
        ["arguments"] = new JsonObject(Arguments.Select(a => KeyValuePair.Create<string, JsonNode?>(a.Name, new JsonArray(Node(a.Value))))),
    };

    private static JsonValue Node(object value) => value is int number ? JsonValue.Create(number) : JsonValue.Create((string)value);
}

/// <summary>A request and the calls that answer it, none where no tool helps.</summary>
internal sealed record CallCase(string Category, string Request, IReadOnlyList<ToolCall> Calls)
{
    /// <summary>What models read.</summary>
    public string Prompt => Request + "\n";

    /// <summary>What models are trained to write.</summary>
    public string Answer => new JsonArray([.. Calls.Select(c => (JsonNode)c.ToJson())]).ToJsonString();

    /// <summary>A line of a suite.</summary>
    public string ToLine(string id) => new JsonObject
    {
        ["id"] = id,
        ["category"] = Category,
        ["prompt"] = Prompt,
        ["expected"] = new JsonArray([.. Calls.Select(c => (JsonNode)c.ToExpectation())]),
    }.ToJsonString();
}
