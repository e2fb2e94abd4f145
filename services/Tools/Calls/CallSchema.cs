using System.Text.Json;
using System.Text.Json.Nodes;

namespace Slm.Tools.Calls;

/// <summary>JSON Schemas of calls, made of those of the functions' parameters.</summary>
internal static class CallSchema
{
    private static readonly HashSet<string> Literals = ["const", "enum", "default", "examples"];
    /// <summary>Keywords that say something of other properties, or may.</summary>
    private static readonly string[] Open = ["additionalProperties", "unevaluatedProperties", "patternProperties", "$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];

    private static readonly HashSet<string> SchemaMaps = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

    /// <summary>The arguments of one function.</summary>
    public static string Arguments(FunctionSpec function) => Parameters(function, "#").ToJsonString();

    /// <summary>An object with name and arguments.</summary>
    public static string Call(IReadOnlyList<FunctionSpec> functions, string nameKey, string argumentsKey) =>
        CallNode(functions, nameKey, argumentsKey, "#").ToJsonString();

    /// <summary>An array of such objects.</summary>
    public static string Calls(IReadOnlyList<FunctionSpec> functions, string nameKey, string argumentsKey, bool parallel)
    {
        var schema = new JsonObject { ["type"] = "array", ["items"] = CallNode(functions, nameKey, argumentsKey, "#/items"), ["minItems"] = 1 };
        if (!parallel)
            schema["maxItems"] = 1;
        return schema.ToJsonString();
    }

    private static JsonObject CallNode(IReadOnlyList<FunctionSpec> functions, string nameKey, string argumentsKey, string pointer)
    {
        if (functions.Count == 1)
            return One(functions[0], pointer);
        return new JsonObject { ["anyOf"] = new JsonArray([.. functions.Select((f, i) => One(f, $"{pointer}/anyOf/{i}"))]) };

        JsonObject One(FunctionSpec function, string at) => new()
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                [nameKey] = new JsonObject { ["const"] = function.Name },
                [argumentsKey] = Parameters(function, $"{at}/properties/{argumentsKey}"),
            },
            ["required"] = new JsonArray(nameKey, argumentsKey),
            ["additionalProperties"] = false,
        };
    }

    /// <summary>
    /// The parameters, always an object, with references that count from where they stand in the whole. Where a schema only lists
    /// properties, there are no others: a function knows nothing of them, and small models lose themselves in inventing more.
    /// </summary>
    private static JsonObject Parameters(FunctionSpec function, string pointer)
    {
        var schema = string.IsNullOrWhiteSpace(function.ParametersJson) ? [] : JsonNode.Parse(function.ParametersJson) as JsonObject
            ?? throw new JsonException($"The parameters of the function '{function.Name}' are no JSON object.");
        if (!schema.ContainsKey("type"))
            schema["type"] = "object";
        if (schema.ContainsKey("properties") && !Open.Any(schema.ContainsKey))
            schema["additionalProperties"] = false;
        // A schema with a name of its own is its own root.
        if (pointer != "#" && !schema.ContainsKey("$id"))
            Rebase(schema, pointer);
        return schema;
    }

    private static void Rebase(JsonNode? node, string pointer)
    {
        if (node is JsonArray array)
        {
            foreach (var item in array)
                Rebase(item, pointer);
            return;
        }
        if (node is not JsonObject schema)
            return;
        foreach (var (key, value) in schema.ToList())
        {
            if (key is "$ref" or "$dynamicRef" && value is JsonValue text && text.TryGetValue(out string? reference) && (reference == "#" || reference.StartsWith("#/", StringComparison.Ordinal)))
                schema[key] = pointer + reference[1..];
            else if (SchemaMaps.Contains(key) && value is JsonObject map)
                foreach (var (_, inner) in map)
                    Rebase(inner, pointer);
            else if (!Literals.Contains(key))
                Rebase(value, pointer);
        }
    }
}
