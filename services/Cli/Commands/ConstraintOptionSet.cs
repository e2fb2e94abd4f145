using System.CommandLine;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;

namespace Slm.Cli.Commands;

/// <summary>What an answer must be, as options.</summary>
internal sealed class ConstraintOptionSet
{
    private readonly Option<string?> _schema = new("--json-schema") { Description = "The answer is JSON that this schema allows: a file, or the schema itself. {} is any JSON.", HelpName = "FILE|JSON" };
    private readonly Option<string?> _regex = new("--regex") { Description = "The answer is a text that this ECMA-262 regular expression matches from beginning to end.", HelpName = "PATTERN" };
    private readonly Option<string?> _grammar = new("--grammar") { Description = "The answer is a text of this GBNF grammar.", HelpName = "FILE" };
    private readonly Option<string[]> _choice = new("--choice") { Description = "The answer is one of these texts; may be repeated.", HelpName = "TEXT" };
    private readonly Option<bool> _lenient = new("--lenient") { Description = "Ignore what a schema says and cannot be enforced, instead of refusing it." };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _schema, _regex, _grammar, _choice, _lenient })
            command.Add(option);
    }

    /// <summary>The constraint given; null if none is.</summary>
    /// <exception cref="UsageException">More than one is given, or a file cannot be read.</exception>
    public ConstraintSource? Read(ParseResult result)
    {
        var (schema, regex, grammar, choice) = (result.GetValue(_schema), result.GetValue(_regex), result.GetValue(_grammar), result.GetValue(_choice) ?? []);
        if ((schema is null ? 0 : 1) + (regex is null ? 0 : 1) + (grammar is null ? 0 : 1) + (choice.Length == 0 ? 0 : 1) > 1)
            throw new UsageException("Give only one of --json-schema, --regex, --grammar and --choice.");
        ConstraintSource? source = schema is not null ? new ConstraintSource.JsonSchema(schema.TrimStart().StartsWith('{') ? schema : ReadFile("--json-schema", schema), new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = true, PlainIntegers = true, PlainStrings = true })
            : regex is not null ? new ConstraintSource.Regex(regex)
            : grammar is not null ? new ConstraintSource.Grammar(ReadFile("--grammar", grammar))
            : choice.Length > 0 ? new ConstraintSource.Choice(choice) : null;
        return source is null ? null : source with { Lenient = result.GetValue(_lenient) };
    }

    private static string ReadFile(string option, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{option}: {error.Message}");
        }
    }
}
