using System.CommandLine;
using System.Text.RegularExpressions;

namespace Slm.Cli.Output;

/// <summary>The parser's complaints in words that do not presume .NET.</summary>
internal static partial class ParseErrors
{
    private const string NoCommand = "Required command was not provided.";

    public static string Describe(ParseResult result)
    {
        var messages = result.Errors.Select(e => e.Message).Distinct().ToList();
        if (messages.Count > 1)
            messages.Remove(NoCommand);
        return string.Join(" ", messages.Select(Reword));
    }

    private static string Reword(string message)
    {
        if (message == NoCommand)
            return "Name a command.";
        var match = TypeMismatch().Match(message);
        if (!match.Success)
            return message;
        var kind = match.Groups["type"].Value is "Single" or "Double" ? "a number" : "a whole number in range";
        return $"{match.Groups["option"].Value}: '{match.Groups["value"].Value}' is not {kind}.";
    }

    [GeneratedRegex(@"^Cannot parse argument '(?<value>.*)' for option '(?<option>[^']+)' as expected type '.*?(?<type>\w+)\]?'", RegexOptions.Singleline)]
    private static partial Regex TypeMismatch();
}
