using System.Text;

namespace Slm.Tools.Calls;

/// <summary>A conversation with functions and calls as a model's chat template can take it.</summary>
/// <param name="Turns">The messages.</param>
/// <param name="Functions">The functions the template is to list; empty where the messages describe them.</param>
public sealed record ToolTranscript(IReadOnlyList<ToolTurn> Turns, IReadOnlyList<FunctionSpec> Functions)
{
    /// <summary>Writes what the template cannot: the functions into the system message, calls and results into the text.</summary>
    public static ToolTranscript Of(IReadOnlyList<ToolTurn> turns, IReadOnlyList<FunctionSpec> functions, ToolCallStyle style)
    {
        ArgumentNullException.ThrowIfNull(turns);
        ArgumentNullException.ThrowIfNull(functions);
        ArgumentNullException.ThrowIfNull(style);
        var written = new List<ToolTurn>(turns.Count + 1);
        foreach (var turn in turns)
        {
            if (turn.Calls.Count > 0 && !style.WritesCalls)
                written.Add(new ToolTurn(turn.Role, Join(turn.Content, style.Format.Write(turn.Calls))) { Name = turn.Name });
            else if (turn.Role == "tool" && !style.TakesResults)
                AddResult(written, turn.Content);
            else
                written.Add(turn);
        }
        if (functions.Count == 0 || style.ListsTools)
            return new ToolTranscript(written, functions);
        Describe(written, functions, style.Format);
        return new ToolTranscript(written, []);
    }

    /// <summary>What the system message says of functions.</summary>
    private static string Description(IReadOnlyList<FunctionSpec> functions, ToolCallFormat format)
    {
        var text = new StringBuilder("You may call these functions:\n");
        foreach (var function in functions)
        {
            text.Append("{\"name\": \"").Append(function.Name).Append("\", \"description\": ").Append(Quote(function.Description))
                .Append(", \"parameters\": ").Append(string.IsNullOrWhiteSpace(function.ParametersJson) ? "{}" : function.ParametersJson).Append("}\n");
        }
        return text.Append("To call one, answer like this, with its name and arguments:\n")
            .Append(format.Write([new FunctionCall("", functions[0].Name, "{}")])).ToString();
    }

    private static void Describe(List<ToolTurn> turns, IReadOnlyList<FunctionSpec> functions, ToolCallFormat format)
    {
        var description = Description(functions, format);
        if (turns.Count > 0 && turns[0].Role is "system" or "developer")
            turns[0] = turns[0] with { Content = Join(turns[0].Content, description) };
        else
            turns.Insert(0, new ToolTurn("system", description));
    }

    /// <summary>Results in a row are one message: roles alternate in most templates.</summary>
    private static void AddResult(List<ToolTurn> turns, string content)
    {
        var result = $"<tool_response>\n{content}\n</tool_response>";
        if (turns.Count > 0 && turns[^1] is { Role: "user" } last && last.Content.EndsWith("</tool_response>", StringComparison.Ordinal))
            turns[^1] = last with { Content = $"{last.Content}\n{result}" };
        else
            turns.Add(new ToolTurn("user", result));
    }

    private static string Join(string text, string more) => text.Length == 0 ? more : $"{text}\n{more}";

    private static string Quote(string text) => $"\"{System.Text.Json.JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
