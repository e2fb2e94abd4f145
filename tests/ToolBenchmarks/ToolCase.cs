using System.Text.Json;
using System.Text.Json.Nodes;
using Slm.Tools.Calls;

namespace Slm.ToolBenchmarks;

/// <summary>A request, the functions it may be answered with, and the calls that answer it.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Category">simple, multiple, parallel, parallel_multiple or irrelevance.</param>
/// <param name="Tools">Names of the functions that are offered.</param>
/// <param name="Request">What the user says.</param>
/// <param name="Expected">The calls, in the order of the request; none where no function helps.</param>
public sealed record ToolCase(string Id, string Category, IReadOnlyList<string> Tools, string Request, IReadOnlyList<FunctionCall> Expected)
{
    /// <summary>The categories, as the Berkeley Function-Calling Leaderboard names them.</summary>
    public static IReadOnlyList<string> Categories { get; } = ["simple", "multiple", "parallel", "parallel_multiple", "irrelevance"];

    /// <summary>The functions.</summary>
    public IReadOnlyList<FunctionSpec> Functions => [.. Tools.Select(Toolbox.Function)];

    /// <summary>A line of the set.</summary>
    public string ToLine() => new JsonObject
    {
        ["id"] = Id,
        ["category"] = Category,
        ["tools"] = new JsonArray([.. Tools.Select(t => (JsonNode)t)]),
        ["request"] = Request,
        ["expected"] = new JsonArray([.. Expected.Select(c => (JsonNode)new JsonObject { ["name"] = c.Name, ["arguments"] = JsonNode.Parse(c.ArgumentsJson) })]),
    }.ToJsonString();

    /// <summary>Reads a line of the set.</summary>
    public static ToolCase FromLine(string line)
    {
        var node = JsonElement.Parse(line);
        return new ToolCase(
            node.GetProperty("id").GetString()!, node.GetProperty("category").GetString()!, [.. node.GetProperty("tools").EnumerateArray().Select(t => t.GetString()!)],
            node.GetProperty("request").GetString()!,
            [.. node.GetProperty("expected").EnumerateArray().Select((c, i) => new FunctionCall($"call_{i}", c.GetProperty("name").GetString()!, c.GetProperty("arguments").GetRawText()))]);
    }

    /// <summary>Reads the set.</summary>
    public static IReadOnlyList<ToolCase> ReadFile(string path) => [.. File.ReadLines(path).Where(l => l.Length > 0).Select(FromLine)];
}
