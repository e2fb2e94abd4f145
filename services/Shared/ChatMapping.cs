using System.Text.Json;
using Slm.ServiceDefaults.Errors;
using Slm.Tokenization.Templates;
using Slm.V1;

namespace Slm.Shared;

/// <summary>Conversations of the contract as chat templates take them. Compiled into the services that use it.</summary>
internal static class ChatMapping
{
    /// <summary>The messages.</summary>
    /// <param name="messages">At least one.</param>
    /// <param name="path">Path of the field, for errors.</param>
    public static List<ChatTurn> Turns(IReadOnlyList<ChatMessage> messages, string path)
    {
        if (messages.Count == 0)
            throw new FieldException(path, $"{path} must hold at least one message.");
        var turns = new List<ChatTurn>(messages.Count);
        for (var i = 0; i < messages.Count; i++)
        {
            var message = messages[i];
            if (message.Role.Length == 0)
                throw new FieldException($"{path}[{i}].role", $"{path}[{i}].role is empty; it must be system, developer, user, assistant or tool.");
            // An assistant that only calls tools has no content, which templates tell from an empty one.
            var content = message.Content.Length == 0 && message.ToolCalls.Count > 0 ? null : message.Content;
            turns.Add(new ChatTurn(message.Role, content)
            {
                Name = message.HasName ? message.Name : null,
                ToolCallId = message.HasToolCallId ? message.ToolCallId : null,
                ToolCalls = [.. message.ToolCalls.Select(c => new ChatToolCall(c.Id, c.Name, c.ArgumentsJson))],
            });
        }
        return turns;
    }

    /// <summary>The functions the model may call.</summary>
    public static IReadOnlyList<ToolSpec> Tools(IReadOnlyList<ToolDefinition> tools, string path)
    {
        var specs = new List<ToolSpec>(tools.Count);
        for (var i = 0; i < tools.Count; i++)
        {
            var tool = tools[i];
            if (tool.Name.Length == 0)
                throw new FieldException($"{path}[{i}].name", $"{path}[{i}].name is empty.");
            var schema = tool.ParametersJson.Length == 0 ? "{}" : tool.ParametersJson;
            RequireObject(schema, $"{path}[{i}].parameters_json");
            specs.Add(new ToolSpec(tool.Name, tool.Description, schema));
        }
        return specs;
    }

    /// <summary>Further variables of the template.</summary>
    public static IReadOnlyDictionary<string, object?> Variables(string? json, string path)
    {
        if (string.IsNullOrEmpty(json))
            return new Dictionary<string, object?>();
        return RequireObject(json, path).EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value, StringComparer.Ordinal);
    }

    private static JsonElement RequireObject(string json, string path)
    {
        try
        {
            var value = JsonElement.Parse(json);
            return value.ValueKind == JsonValueKind.Object ? value : throw new FieldException(path, $"{path} must be a JSON object.");
        }
        catch (JsonException error)
        {
            throw new FieldException(path, $"{path} is not valid JSON: {error.Message}");
        }
    }
}
