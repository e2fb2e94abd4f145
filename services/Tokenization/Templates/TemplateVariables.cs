using System.Collections;
using System.Globalization;
using System.Text.Json;

namespace Slm.Tokenization.Templates;

/// <summary>Turns what callers pass into the template's values.</summary>
internal static class TemplateVariables
{
    public static TemplateScope Scope(TemplateScope globals, ChatTemplateInput input)
    {
        var scope = new TemplateScope(globals);
        scope.Set("messages", new PyList([.. input.Messages.Select(Message)]));
        scope.Set("tools", input.Tools.Count == 0 ? null : new PyList([.. input.Tools.Select(Tool)]));
        scope.Set("documents", null);
        scope.Set("add_generation_prompt", input.AddGenerationPrompt);
        if (input.BosToken is not null) scope.Set("bos_token", input.BosToken);
        if (input.EosToken is not null) scope.Set("eos_token", input.EosToken);
        return Extend(scope, input.Variables);
    }

    public static TemplateScope Extend(TemplateScope scope, IReadOnlyDictionary<string, object?> variables)
    {
        foreach (var (name, value) in variables) scope.Set(name, Convert(value));
        return scope;
    }

    private static PyDict Message(ChatTurn turn)
    {
        var message = new PyDict();
        message.Set("role", turn.Role);
        message.Set("content", turn.Content);
        if (turn.Name is not null) message.Set("name", turn.Name);
        if (turn.ToolCalls.Count > 0) message.Set("tool_calls", new PyList([.. turn.ToolCalls.Select(ToolCall)]));
        if (turn.ToolCallId is not null) message.Set("tool_call_id", turn.ToolCallId);
        foreach (var (key, value) in turn.Extra) message.Set(key, Convert(value));
        return message;
    }

    private static PyDict ToolCall(ChatToolCall call)
    {
        var function = new PyDict();
        function.Set("name", call.Name);
        function.Set("arguments", TryParseObject(call.ArgumentsJson) ?? (object)call.ArgumentsJson);
        var result = new PyDict();
        result.Set("id", call.Id);
        result.Set("type", "function");
        result.Set("function", function);
        return result;
    }

    private static PyDict Tool(ToolSpec tool)
    {
        var function = new PyDict();
        function.Set("name", tool.Name);
        function.Set("description", tool.Description);
        function.Set("parameters", TryParseObject(tool.ParametersJson.Length == 0 ? "{}" : tool.ParametersJson) ??
            throw TemplateException.Evaluation($"the parameters of tool '{tool.Name}' are no JSON object"));
        var result = new PyDict();
        result.Set("type", "function");
        result.Set("function", function);
        return result;
    }

    private static PyDict? TryParseObject(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return JsonText.Read(document.RootElement) as PyDict;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static object? Convert(object? value) => value switch
    {
        null or bool or long or double or string => value,
        sbyte or byte or short or ushort or int or uint => System.Convert.ToInt64(value, CultureInfo.InvariantCulture),
        float or decimal => System.Convert.ToDouble(value, CultureInfo.InvariantCulture),
        JsonElement element => JsonText.Read(element),
        JsonDocument document => JsonText.Read(document.RootElement),
        IEnumerable<KeyValuePair<string, object?>> pairs => Dict(pairs),
        IEnumerable list => new PyList([.. list.Cast<object?>().Select(Convert)]),
        _ => throw TemplateException.Evaluation($"a template variable cannot be of type {value.GetType().Name}"),
    };

    private static PyDict Dict(IEnumerable<KeyValuePair<string, object?>> pairs)
    {
        var dict = new PyDict();
        foreach (var (key, value) in pairs) dict.Set(key, Convert(value));
        return dict;
    }
}
