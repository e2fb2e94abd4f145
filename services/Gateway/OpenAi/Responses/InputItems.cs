using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Responses;

/// <summary>The input of a response: what the model reads, and the items as they are listed again.</summary>
/// <param name="Messages">The conversation.</param>
/// <param name="Items">The items, each with an id.</param>
internal sealed record InputItems(IReadOnlyList<ChatMessage> Messages, IReadOnlyList<JsonElement> Items)
{
    private static readonly string[] Roles = ["developer", "system", "user", "assistant"];

    /// <summary>Reads <c>input</c>: a text, or a list of messages, calls and their outputs.</summary>
    public static InputItems Read(RequestFields fields)
    {
        if (fields.Get("input") is not { } input)
            throw fields.Missing("input");
        var messages = new List<ChatMessage>();
        var items = new List<JsonElement>();
        if (input.ValueKind == JsonValueKind.String)
        {
            messages.Add(new ChatMessage { Role = "user", Content = input.GetString() });
            items.Add(Listed(new JsonObject
            {
                ["type"] = "message",
                ["status"] = "completed",
                ["role"] = "user",
                ["content"] = new JsonArray(new JsonObject { ["type"] = "input_text", ["text"] = input.GetString() }),
            }));
            return new InputItems(messages, items);
        }
        if (input.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("input", input, "a string or an array of items");
        foreach (var element in input.EnumerateArray())
        {
            var item = new RequestFields(element, $"input[{items.Count}]");
            Read(item, messages);
            items.Add(Listed(Described(JsonNode.Parse(element.GetRawText())!.AsObject())));
        }
        return new InputItems(messages, items);
    }

    private static void Read(RequestFields item, List<ChatMessage> messages)
    {
        var type = item.String("type") ?? "message";
        item.Harmless("id", "status", "phase");
        switch (type)
        {
            case "message":
                messages.Add(Message(item));
                break;
            case "function_call":
                AddCall(messages, new ToolCall { Id = item.RequiredString("call_id"), Name = item.RequiredString("name"), ArgumentsJson = item.RequiredString("arguments") });
                break;
            case "function_call_output":
                messages.Add(new ChatMessage { Role = "tool", ToolCallId = item.RequiredString("call_id"), Content = Content(item, "output") });
                break;
            case "mcp_call":
                var id = item.String("id") ?? throw item.Missing("id");
                AddCall(messages, new ToolCall { Id = id, Name = item.RequiredString("name"), ArgumentsJson = item.RequiredString("arguments") });
                messages.Add(new ChatMessage { Role = "tool", ToolCallId = id, Content = item.String("output") ?? item.String("error") ?? "" });
                item.Harmless("server_label", "approval_request_id", "error");
                break;
            case "mcp_list_tools":
                item.Harmless("server_label", "tools", "error");
                break;
            default:
                throw OpenAiException.Unsupported(item.Path("type"), $"It is '{type}'; message, function_call, function_call_output, mcp_call and mcp_list_tools are.");
        }
        item.RefuseUnknown();
    }

    private static ChatMessage Message(RequestFields item)
    {
        var role = item.RequiredString("role");
        if (!Roles.Contains(role))
            throw OpenAiException.Invalid(item.Path("role"), $"'{item.Path("role")}' is '{role}'; it must be one of {string.Join(", ", Roles)}.");
        return new ChatMessage { Role = role, Content = Content(item, "content") };
    }

    private static string Content(RequestFields item, string name)
    {
        if (item.Get(name) is not { } content)
            throw item.Missing(name);
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString()!;
        if (content.ValueKind != JsonValueKind.Array)
            throw item.Wrong(name, content, "a string or an array of parts");
        var text = new StringBuilder();
        var index = 0;
        foreach (var element in content.EnumerateArray())
        {
            var part = new RequestFields(element, item.Path($"{name}[{index++}]"));
            var type = part.RequiredString("type");
            text.Append(type switch
            {
                "input_text" or "output_text" or "text" => part.RequiredString("text"),
                "refusal" => part.RequiredString("refusal"),
                _ => throw OpenAiException.Unsupported(part.Path("type"), $"The part has type '{type}'; only text can be read."),
            });
        }
        return text.ToString();
    }

    /// <summary>Adds a call to the assistant's turn: items of one answer belong together.</summary>
    private static void AddCall(List<ChatMessage> messages, ToolCall call)
    {
        if (messages.Count == 0 || messages[^1].Role != "assistant")
            messages.Add(new ChatMessage { Role = "assistant" });
        messages[^1].ToolCalls.Add(call);
    }

    private static JsonObject Described(JsonObject item)
    {
        item.TryAdd("type", "message");
        if (item["content"] is JsonValue text && text.TryGetValue(out string? content))
            item["content"] = new JsonArray(new JsonObject { ["type"] = item["role"]?.GetValue<string>() == "assistant" ? "output_text" : "input_text", ["text"] = content });
        return item;
    }

    private static JsonElement Listed(JsonObject item)
    {
        if (!item.ContainsKey("id"))
            item.Insert(0, "id", $"{(item["type"]!.GetValue<string>() == "message" ? "msg" : "fc")}_{Guid.NewGuid():N}");
        item.TryAdd("status", "completed");
        return JsonElement.Parse(item.ToJsonString());
    }
}
