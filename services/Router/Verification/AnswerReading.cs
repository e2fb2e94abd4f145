using System.Text.Json;
using System.Text.Json.Nodes;
using Slm.JsonSchema;
using Slm.Router.Policies;

namespace Slm.Router.Verification;

/// <summary>An answer as the policy reads it: which of the nested forms it has. Each holds only where the one before does.</summary>
/// <param name="Document">The JSON document; null if it is none.</param>
/// <param name="Parses">It is JSON; of text always true.</param>
/// <param name="Valid">It is of the policy's schema.</param>
/// <param name="Executable">Every call names a tool and its arguments bind.</param>
/// <param name="Canonical">The same for answers that say the same.</param>
/// <param name="Problems">What is wrong with its form.</param>
internal sealed record AnswerReading(JsonElement? Document, bool Parses, bool Valid, bool Executable, string Canonical, IReadOnlyList<string> Problems)
{
    private const int MostProblems = 5;

    public static AnswerReading Of(string text, RoutePolicy policy)
    {
        if (policy.Answer == AnswerKind.Text)
            return new(null, true, true, true, text.Trim(), []);
        JsonElement document;
        try
        {
            using var parsed = JsonDocument.Parse(text);
            document = parsed.RootElement.Clone();
        }
        catch (JsonException error)
        {
            return new(null, false, false, false, text.Trim(), [$"it is no JSON ({error.Message})"]);
        }

        var canonical = Canonicalize(document);
        // A single call may stand alone; it is judged as the list that it is short for.
        if (policy.Answer == AnswerKind.Calls && document.ValueKind == JsonValueKind.Object)
        {
            using var list = JsonDocument.Parse($"[{document.GetRawText()}]");
            document = list.RootElement.Clone();
            canonical = Canonicalize(document);
        }

        IReadOnlyList<SchemaError> errors = policy.Schema?.Validate(document) ?? [];
        var problems = policy.Answer == AnswerKind.Calls ? CallProblems(document, policy) : [];
        string[] all = [.. problems.Concat(problems.Count == 0 ? errors.Select(e => e.ToString()) : []).Take(MostProblems)];
        return new(document, true, errors.Count == 0, errors.Count == 0 && problems.Count == 0, canonical, all);
    }

    /// <summary>JSON with members in order and no white space.</summary>
    public static string Canonicalize(JsonElement document) => Sorted(document)?.ToJsonString() ?? "null";

    private static JsonNode? Sorted(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new JsonObject(element.EnumerateObject().DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => KeyValuePair.Create(m.Name, Sorted(m.Value)))),
        JsonValueKind.Array => new JsonArray([.. element.EnumerateArray().Select(Sorted)]),
        JsonValueKind.Null => null,
        _ => JsonNode.Parse(element.GetRawText()),
    };

    private static List<string> CallProblems(JsonElement document, RoutePolicy policy)
    {
        var problems = new List<string>();
        if (document.ValueKind != JsonValueKind.Array)
        {
            problems.Add("it must be a list of calls");
            return problems;
        }

        var index = 0;
        foreach (var call in document.EnumerateArray())
        {
            var place = $"call {++index}";
            if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
                problems.Add($"{place} has no name");
            else if (policy.Tools.FirstOrDefault(t => t.Name == name.GetString()) is not { } tool)
                problems.Add($"{place} names '{name.GetString()}', but the tools are {string.Join(", ", policy.Tools.Select(t => t.Name))}");
            else if (!call.TryGetProperty("arguments", out var arguments))
                problems.Add($"{place} has no arguments");
            else
                problems.AddRange(tool.Parameters.Validate(arguments).Select(e => $"{place}, {tool.Name}: {(e.Location.Length == 0 ? "it" : e.Location)} {e.Message.TrimEnd('.')}"));
        }

        return problems;
    }
}
