using Microsoft.Extensions.AI;
using Slm.Tools.Calls;

namespace Slm.Extensions.AI;

/// <summary>The tools of chat options.</summary>
internal static class ToolOptions
{
    public static IReadOnlyList<FunctionSpec> Functions(ChatOptions? options) =>
        [.. (options?.Tools ?? []).Select(tool => tool is AIFunctionDeclaration function ? Spec(function)
            : throw new NotSupportedException($"The tool '{tool.Name}' is a {tool.GetType().Name}; only functions can be called."))];

    public static ToolChoice Choice(ChatOptions? options, IReadOnlyList<FunctionSpec> functions)
    {
        var parallel = options?.AllowMultipleToolCalls ?? true;
        return options?.ToolMode switch
        {
            _ when functions.Count == 0 => new ToolChoice(ToolChoiceMode.None),
            NoneChatToolMode => new ToolChoice(ToolChoiceMode.None),
            RequiredChatToolMode { RequiredFunctionName: { } name } when functions.Any(f => f.Name == name) => new ToolChoice(ToolChoiceMode.Required, [name], Parallel: false),
            RequiredChatToolMode { RequiredFunctionName: { } name } => throw new ArgumentException($"The function '{name}' is required, but the tools are: {string.Join(", ", functions.Select(f => f.Name))}.", nameof(options)),
            RequiredChatToolMode => new ToolChoice(ToolChoiceMode.Required, null, parallel),
            _ => new ToolChoice(ToolChoiceMode.Auto, null, parallel),
        };
    }

    private static FunctionSpec Spec(AIFunctionDeclaration function) => FunctionSpec.IsName(function.Name)
        ? new FunctionSpec(function.Name, function.Description, function.JsonSchema.GetRawText()) { Strict = function.AdditionalProperties.TryGetValue("strict", out var strict) && strict is true }
        : throw new NotSupportedException($"The function '{function.Name}' needs a name of 1 to {FunctionSpec.MaxNameChars} letters, digits, '_', '-' or '.'.");
}
