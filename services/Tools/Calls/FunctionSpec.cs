namespace Slm.Tools.Calls;

/// <summary>A function the model may call.</summary>
/// <param name="Name">Its name: letters, digits, '_', '-' and '.'.</param>
/// <param name="Description">What it does, for the model; may be empty.</param>
/// <param name="ParametersJson">JSON Schema of its arguments, which are an object.</param>
public sealed record FunctionSpec(string Name, string Description, string ParametersJson)
{
    /// <summary>Longest name.</summary>
    public const int MaxNameChars = 64;

    /// <summary>True if calls must match the schema exactly; otherwise keywords that cannot be enforced while a call is written are ignored.</summary>
    public bool Strict { get; init; }

    /// <summary>True if a function can have this name.</summary>
    public static bool IsName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length is > 0 and <= MaxNameChars && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
    }
}

/// <summary>A call of a function.</summary>
/// <param name="Id">Names the call; the result refers to it.</param>
/// <param name="Name">The function.</param>
/// <param name="ArgumentsJson">Its arguments, a JSON object.</param>
public sealed record FunctionCall(string Id, string Name, string ArgumentsJson);

/// <summary>One message of a conversation with calls.</summary>
/// <param name="Role">system, developer, user, assistant or tool.</param>
/// <param name="Content">Its text; may be empty.</param>
public sealed record ToolTurn(string Role, string Content)
{
    /// <summary>Who speaks, or the function that answers.</summary>
    public string? Name { get; init; }

    /// <summary>The calls an assistant made.</summary>
    public IReadOnlyList<FunctionCall> Calls { get; init; } = [];

    /// <summary>The call a tool message answers.</summary>
    public string? CallId { get; init; }
}
