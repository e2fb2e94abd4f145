namespace Slm.Tokenization.Templates;

/// <summary>A conversation for a chat template, as apply_chat_template takes it.</summary>
public sealed record ChatTemplateInput
{
    public required IReadOnlyList<ChatTurn> Messages { get; init; }

    /// <summary>Ask the template to open the assistant's turn.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>The functions the model may call; the template sees None if there are none.</summary>
    public IReadOnlyList<ToolSpec> Tools { get; init; } = [];

    /// <summary>The text of the special tokens, if the tokenizer has them; templates read <c>bos_token</c> and <c>eos_token</c>.</summary>
    public string? BosToken { get; init; }

    public string? EosToken { get; init; }

    /// <summary>
    /// Further variables (<c>enable_thinking</c> and the like): null, bool, numbers, strings, JSON elements, dictionaries
    /// with string keys and lists of these. They win over the variables above.
    /// </summary>
    public IReadOnlyDictionary<string, object?> Variables { get; init; } = new Dictionary<string, object?>();
}

/// <summary>One message. <paramref name="Role"/> is system, user, assistant, tool or what else the template knows.</summary>
public sealed record ChatTurn(string Role, string? Content)
{
    public string? Name { get; init; }

    public IReadOnlyList<ChatToolCall> ToolCalls { get; init; } = [];

    /// <summary>The call that a tool message answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Further keys of the message (<c>reasoning_content</c>, content parts …), of the types of <see cref="ChatTemplateInput.Variables"/>.</summary>
    public IReadOnlyDictionary<string, object?> Extra { get; init; } = new Dictionary<string, object?>();
}

/// <summary>A call the assistant made. Arguments that are a JSON object are given to the template as a dict.</summary>
public sealed record ChatToolCall(string Id, string Name, string ArgumentsJson);

/// <summary>A function the model may call; the parameters are a JSON Schema.</summary>
public sealed record ToolSpec(string Name, string Description, string ParametersJson);
