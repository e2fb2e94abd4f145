using System.Text.Json.Nodes;

namespace Slm.Router.Policies;

/// <summary>The schema of a list of calls of some tools.</summary>
internal static class CallSchema
{
    /// <summary>As JSON. Definitions of a tool's parameters stay reachable: references to "#/$defs/…" lead into the tool's part.</summary>
    public static string Of(IReadOnlyList<ToolSpec> tools)
    {
        var forms = new JsonArray();
        for (var i = 0; i < tools.Count; i++)
        {
            var parameters = Parse(tools[i].ParametersJson);
            Rebase(parameters, $"#/items/anyOf/{i}/properties/arguments");
            forms.Add(new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["name"] = new JsonObject { ["const"] = tools[i].Name }, ["arguments"] = parameters },
                ["required"] = new JsonArray("name", "arguments"),
                ["additionalProperties"] = false,
            });
        }

        return new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["anyOf"] = forms } }.ToJsonString();
    }

    private static JsonNode Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json) ?? new JsonObject();
        }
        catch (System.Text.Json.JsonException)
        {
            // Reported where the parameters are read.
            return new JsonObject();
        }
    }

    private static void Rebase(JsonNode? node, string place)
    {
        switch (node)
        {
            case JsonObject members:
                if (members["$ref"] is JsonValue value && value.TryGetValue<string>(out var reference) && reference.StartsWith('#') && (reference.Length == 1 || reference[1] == '/'))
                    members["$ref"] = place + reference[1..];
                foreach (var (_, child) in members)
                    Rebase(child, place);
                break;
            case JsonArray list:
                foreach (var child in list)
                    Rebase(child, place);
                break;
        }
    }
}
