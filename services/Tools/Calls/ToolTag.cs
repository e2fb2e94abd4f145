namespace Slm.Tools.Calls;

/// <summary>What stands between the begin and the end of a tag.</summary>
public enum CallBody
{
    /// <summary>The arguments of <see cref="ToolTag.Function"/>.</summary>
    Arguments,

    /// <summary>One object with the function's name and its arguments.</summary>
    Call,

    /// <summary>An array of such objects.</summary>
    Calls,

    /// <summary>No call, but a document that is the answer's text.</summary>
    Document,
}

/// <summary>One way a call can stand in the model's text: a begin, a JSON value, an end.</summary>
/// <param name="Begin">The text before the value.</param>
/// <param name="JsonSchema">JSON Schema of the value.</param>
/// <param name="End">The text behind it; may be empty.</param>
/// <param name="Body">What the value is.</param>
/// <param name="Function">The function, where the begin says it.</param>
public sealed record ToolTag(string Begin, string JsonSchema, string End, CallBody Body, string? Function = null);

/// <summary>The texts that a model may answer with.</summary>
/// <param name="Tags">The calls that may stand in the text.</param>
/// <param name="Required">The text begins with a call, and there is nothing but calls in it.</param>
/// <param name="MaxTags">Most tags in the text; 0: any number.</param>
/// <param name="Separator">What stands between two tags of a text of calls only.</param>
public sealed record ToolLanguage(IReadOnlyList<ToolTag> Tags, bool Required, int MaxTags, string Separator)
{
    /// <summary>Once one of these stands in free text, a tag that begins with it must follow.</summary>
    public IReadOnlyList<string> Triggers { get; init; } = [];

    /// <summary>The answer is calls, or else a document of a schema: a fenced block, as models write one.</summary>
    /// <param name="schema">JSON Schema of the document.</param>
    public ToolLanguage Or(string schema) => this with { Tags = [.. Tags, new ToolTag("```json\n", schema, "\n```", CallBody.Document)], Required = true, Triggers = [] };
}
