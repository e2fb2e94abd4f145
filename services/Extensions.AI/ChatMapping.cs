using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Slm.Tools.Calls;
using FunctionCall = Slm.Tools.Calls.FunctionCall;

namespace Slm.Extensions.AI;

/// <summary>Between the abstractions' messages and turns.</summary>
internal static class ChatMapping
{
    public static List<ToolTurn> Turns(IEnumerable<ChatMessage> messages, string? instructions)
    {
        var turns = new List<ToolTurn>();
        if (!string.IsNullOrEmpty(instructions))
            turns.Add(new ToolTurn("system", instructions));
        foreach (var message in messages)
        {
            var text = new StringBuilder();
            var calls = new List<FunctionCall>();
            foreach (var content in message.Contents)
            {
                switch (content)
                {
                    case TextContent part:
                        text.Append(part.Text);
                        break;
                    case FunctionCallContent call:
                        calls.Add(new FunctionCall(call.CallId, call.Name, JsonSerializer.Serialize(call.Arguments ?? new Dictionary<string, object?>(), AIJsonUtilities.DefaultOptions)));
                        break;
                    case FunctionResultContent result:
                        turns.Add(new ToolTurn("tool", Result(result)) { CallId = result.CallId });
                        break;
                    case UsageContent or TextReasoningContent:
                        break;
                    default:
                        throw new NotSupportedException($"A message has {content.GetType().Name}; text, function calls and their results can be sent.");
                }
            }
            if (text.Length > 0 || calls.Count > 0 || message.Contents.Count == 0)
                turns.Add(new ToolTurn(message.Role.Value, text.ToString()) { Name = message.AuthorName, Calls = calls });
        }
        return turns;
    }

    /// <summary>A call the model has made; arguments that were cut off carry the exception.</summary>
    public static FunctionCallContent Content(FunctionCall call) => FunctionCallContent.CreateFromParsedArguments(
        call.ArgumentsJson, call.Id, call.Name, static json => JsonSerializer.Deserialize<Dictionary<string, object?>>(json, AIJsonUtilities.DefaultOptions));

    private static string Result(FunctionResultContent result) => result.Result switch
    {
        null => result.Exception?.Message ?? "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
        var value => JsonSerializer.Serialize(value, AIJsonUtilities.DefaultOptions),
    };
}
