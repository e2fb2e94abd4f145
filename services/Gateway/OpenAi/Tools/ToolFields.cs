using System.Text.Json;
using Slm.Tools.Calls;

namespace Slm.Gateway.OpenAi.Tools;

/// <summary>The functions of a request, and whether the model is to call them.</summary>
internal sealed record ToolRequest(IReadOnlyList<FunctionSpec> Functions, ToolChoice Choice)
{
    /// <summary>No functions.</summary>
    public static ToolRequest None { get; } = new([], new ToolChoice(ToolChoiceMode.None));
}

/// <summary>Reads <c>tools</c>, <c>tool_choice</c> and <c>parallel_tool_calls</c>.</summary>
internal static class ToolFields
{
    /// <summary>Most functions a request may have.</summary>
    private const int MaxTools = 128;

    /// <summary>Those of chat completions, where the function is nested in the tool.</summary>
    public static ToolRequest Read(RequestFields fields)
    {
        static bool EmptyArray(JsonElement v) => v.ValueKind == JsonValueKind.Array && v.GetArrayLength() == 0;
        fields.Refuse("functions", "Use 'tools'.", EmptyArray);
        fields.Refuse("function_call", "Use 'tool_choice'.", v => v.ValueKind == JsonValueKind.String && v.GetString() is "none" or "auto");
        var functions = new List<FunctionSpec>();
        foreach (var tool in Tools(fields))
        {
            RequireFunction(tool);
            var function = new RequestFields(tool.Get("function") ?? throw tool.Missing("function"), tool.Path("function"));
            functions.Add(Function(function));
            function.RefuseUnknown();
            tool.RefuseUnknown();
        }
        RequireDistinct(functions, fields);
        return new ToolRequest(functions, Choice(fields, functions, nested: true));
    }

    /// <summary>The tools of a request, each with its path.</summary>
    public static IEnumerable<RequestFields> Tools(RequestFields fields)
    {
        if (fields.Get("tools") is not { } tools)
            return [];
        if (tools.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("tools", tools, "an array");
        if (tools.GetArrayLength() is var count && count > MaxTools)
            throw OpenAiException.Invalid("tools", $"'tools' has {count} entries; at most {MaxTools} are allowed.");
        return tools.EnumerateArray().Select((tool, i) => new RequestFields(tool, fields.Path($"tools[{i}]")));
    }

    /// <summary>The fields of a function, nested or flat.</summary>
    public static FunctionSpec Function(RequestFields fields)
    {
        var name = fields.RequiredString("name");
        if (!FunctionSpec.IsName(name))
            throw OpenAiException.Invalid(fields.Path("name"), $"'{fields.Path("name")}' is '{name}'; it must be 1 to {FunctionSpec.MaxNameChars} letters, digits, '_', '-' or '.'.");
        var parameters = fields.Get("parameters");
        if (parameters is { ValueKind: not JsonValueKind.Object } wrong)
            throw fields.Wrong("parameters", wrong, "a JSON Schema of an object");
        if (parameters is { } schema && schema.TryGetProperty("type", out var type) && !(type.ValueKind == JsonValueKind.String && type.GetString() == "object"))
            throw OpenAiException.Invalid(fields.Path("parameters.type"), $"'{fields.Path("parameters.type")}' must be \"object\": arguments are an object.");
        // Without parameters there are no arguments.
        return new FunctionSpec(name, fields.String("description") ?? "", parameters?.GetRawText() ?? """{"type":"object","properties":{},"additionalProperties":false}""")
        {
            Strict = fields.Bool("strict") ?? false,
        };
    }

    /// <summary>Only functions run here or at the client.</summary>
    public static void RequireFunction(RequestFields tool)
    {
        if (tool.RequiredString("type") is var type && type != "function")
            throw OpenAiException.Unsupported(tool.Path("type"), $"It is '{type}'; only functions can be called.");
    }

    public static void RequireDistinct(IReadOnlyList<FunctionSpec> functions, RequestFields fields)
    {
        if (functions.GroupBy(f => f.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw OpenAiException.Invalid(fields.Path("tools"), $"'{fields.Path("tools")}' has the function '{twice.Key}' {twice.Count()} times; names must differ.");
    }

    /// <summary>Reads <c>tool_choice</c> and <c>parallel_tool_calls</c>.</summary>
    /// <param name="fields">The request.</param>
    /// <param name="functions">What can be chosen.</param>
    /// <param name="nested">The name is in an object <c>function</c>.</param>
    public static ToolChoice Choice(RequestFields fields, IReadOnlyList<FunctionSpec> functions, bool nested)
    {
        var parallel = fields.Bool("parallel_tool_calls") ?? true;
        if (fields.Get("tool_choice") is not { } choice)
            return new ToolChoice(functions.Count == 0 ? ToolChoiceMode.None : ToolChoiceMode.Auto, null, parallel);
        if (choice.ValueKind == JsonValueKind.String)
        {
            var mode = Mode(choice.GetString()!, fields.Path("tool_choice"));
            return functions.Count > 0 ? new ToolChoice(mode, null, parallel)
                : mode == ToolChoiceMode.Required ? throw OpenAiException.Invalid(fields.Path("tool_choice"), $"'{fields.Path("tool_choice")}' is 'required', but there are no 'tools'.")
                : ToolRequest.None.Choice;
        }
        var inner = new RequestFields(choice, fields.Path("tool_choice"));
        switch (inner.RequiredString("type"))
        {
            case "function":
                var name = Name(inner, nested);
                RequireKnown(name, functions, inner);
                inner.RefuseUnknown();
                return new ToolChoice(ToolChoiceMode.Required, [name], Parallel: false);
            case "allowed_tools":
                var allowed = nested ? new RequestFields(inner.Get("allowed_tools") ?? throw inner.Missing("allowed_tools"), inner.Path("allowed_tools")) : inner;
                var names = Tools(allowed).Select(tool => Name(tool, nested)).ToList();
                foreach (var one in names)
                    RequireKnown(one, functions, allowed);
                if (names.Count == 0)
                    throw OpenAiException.Invalid(allowed.Path("tools"), $"'{allowed.Path("tools")}' is empty; it must have at least one entry.");
                return new ToolChoice(Mode(allowed.RequiredString("mode"), allowed.Path("mode")), names, parallel);
            case var type:
                throw OpenAiException.Unsupported(inner.Path("type"), $"It is '{type}'; function and allowed_tools are.");
        }
    }

    private static string Name(RequestFields fields, bool nested)
    {
        fields.Harmless("type");
        return (nested ? new RequestFields(fields.Get("function") ?? throw fields.Missing("function"), fields.Path("function")) : fields).RequiredString("name");
    }

    private static ToolChoiceMode Mode(string text, string path) => text switch
    {
        "none" => ToolChoiceMode.None,
        "auto" => ToolChoiceMode.Auto,
        "required" => ToolChoiceMode.Required,
        _ => throw OpenAiException.Invalid(path, $"'{path}' is '{text}'; it must be none, auto or required."),
    };

    private static void RequireKnown(string name, IReadOnlyList<FunctionSpec> functions, RequestFields fields)
    {
        if (functions.All(f => f.Name != name))
            throw OpenAiException.Invalid("tool_choice", $"'{fields.Path("name")}' is '{name}', but 'tools' has {(functions.Count == 0 ? "no functions" : string.Join(", ", functions.Select(f => f.Name)))}.");
    }
}
