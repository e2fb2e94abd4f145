using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Tools;

/// <summary>Between the contract's messages and those of the tools library.</summary>
internal static class ToolMapping
{
    public static ToolTurn Turn(ChatMessage message) => new(message.Role, message.Content)
    {
        Name = message.HasName ? message.Name : null,
        CallId = message.HasToolCallId ? message.ToolCallId : null,
        Calls = [.. message.ToolCalls.Select(c => new FunctionCall(c.Id, c.Name, c.ArgumentsJson))],
    };

    public static ChatMessage Message(ToolTurn turn)
    {
        var message = new ChatMessage { Role = turn.Role, Content = turn.Content };
        if (turn.Name is not null)
            message.Name = turn.Name;
        if (turn.CallId is not null)
            message.ToolCallId = turn.CallId;
        message.ToolCalls.AddRange(turn.Calls.Select(c => new ToolCall { Id = c.Id, Name = c.Name, ArgumentsJson = c.ArgumentsJson }));
        return message;
    }

    public static ToolDefinition Definition(FunctionSpec function) => new() { Name = function.Name, Description = function.Description, ParametersJson = function.ParametersJson };

    /// <summary>The constraint that makes every call one of the functions with arguments of its schema.</summary>
    /// <param name="language">The calls.</param>
    /// <param name="exact">Refuse what cannot be enforced, instead of leaving it to whoever runs the function.</param>
    public static Constraint Constraint(ToolLanguage language, bool exact)
    {
        var tagged = new TaggedText { Required = language.Required, MaxTags = language.MaxTags, Separator = language.Separator };
        tagged.Triggers.AddRange(language.Triggers);
        tagged.Tags.AddRange(language.Tags.Select(tag => new Tag { Begin = tag.Begin, JsonSchema = tag.JsonSchema, End = tag.End }));
        return new Constraint
        {
            TaggedText = tagged,
            Lenient = !exact,
            // As templates print JSON, which is what models have learned.
            JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = true, PlainIntegers = true, PlainStrings = true },
        };
    }
}
