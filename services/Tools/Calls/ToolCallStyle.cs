using System.Text.RegularExpressions;
using Slm.Tools.Calls.Formats;

namespace Slm.Tools.Calls;

/// <summary>How a model takes functions and writes calls, by its chat template.</summary>
/// <param name="Format">How it writes calls.</param>
/// <param name="ListsTools">The template writes the functions into the prompt; otherwise they are described in the system message.</param>
/// <param name="WritesCalls">The template writes calls that were made; otherwise they become text of the assistant.</param>
/// <param name="TakesResults">The template has messages of tools; otherwise they become messages of the user.</param>
public sealed partial record ToolCallStyle(ToolCallFormat Format, bool ListsTools, bool WritesCalls, bool TakesResults)
{
    /// <summary>The formats, the more particular first.</summary>
    public static IReadOnlyList<ToolCallFormat> Formats { get; } =
    [
        new DeepSeekFormat(),
        new DeepSeek31Format(),
        new MistralArgumentsFormat(),
        new MistralFormat(),
        new NemotronFormat(),
        new PhiObjectFormat(),
        new PhiFormat(),
        new GraniteFormat(),
        new FunctionaryFormat(),
        new HermesFormat(),
        new LlamaJsonFormat(),
    ];

    /// <summary>For templates that say nothing of calls, or write them in a way that none of the formats knows.</summary>
    public static ToolCallStyle Generic { get; } = new(new HermesFormat(), false, false, false);

    /// <summary>The style of a template; null or empty where a model has none.</summary>
    public static ToolCallStyle Of(string? template)
    {
        if (string.IsNullOrEmpty(template) || Formats.FirstOrDefault(f => f.Recognizes(template)) is not { } format)
            return Generic;
        return new ToolCallStyle(format, ToolsVariable().IsMatch(template) && !format.WritesHistory, CallsKey().IsMatch(template) && !format.WritesHistory, ToolRole().IsMatch(template));
    }

    // As a variable of a statement: the word also stands in texts.
    [GeneratedRegex(@"\{%-?\s*(?:if|elif|for)\b[^%]*?(?<![\w'"".])tools(?![\w'""])")]
    private static partial Regex ToolsVariable();

    [GeneratedRegex(@"\btool_calls\b")]
    private static partial Regex CallsKey();

    [GeneratedRegex("""['"]tool['"]""")]
    private static partial Regex ToolRole();
}
