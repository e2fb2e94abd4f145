using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Slm.Engine.Constraints;

namespace Slm.Cli.Commands;

/// <summary><c>slm check-constraint</c>: what of a constraint is enforced while an answer is written.</summary>
internal static class CheckConstraintCommand
{
    public static Command Create()
    {
        var constraint = new ConstraintOptionSet();
        var json = CommonOptions.Json();
        var all = new Option<bool>("--all") { Description = "List enforced keywords too." };
        var command = new Command("check-constraint", "Says keyword by keyword what of a JSON Schema is enforced while an answer is written.") { all, json };
        constraint.AddTo(command);
        command.SetAction(result =>
        {
            var source = constraint.Read(result) ?? throw new UsageException("check-constraint: give --json-schema, --regex, --grammar or --choice.");
            var watch = Stopwatch.StartNew();
            var (accepted, keywords) = CompiledConstraint.Check(source);
            var milliseconds = watch.Elapsed.TotalMilliseconds;
            if (result.GetValue(json))
                WriteJson(accepted, keywords, milliseconds);
            else
                Write(accepted, keywords, milliseconds, result.GetValue(all));
            return accepted ? 0 : 1;
        });
        return command;
    }

    private static void Write(bool accepted, IReadOnlyList<KeywordReport> keywords, double milliseconds, bool all)
    {
        foreach (var keyword in keywords.Where(k => all || k.Enforcement != Enforcement.Enforced))
            Console.WriteLine($"{keyword.Enforcement.ToString().ToLowerInvariant(),-10} {keyword.Place} {keyword.Reason}".TrimEnd());
        var enforced = keywords.Count(k => k.Enforcement == Enforcement.Enforced);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(accepted ? "accepted" : "refused")}: {enforced} of {keywords.Count} keywords are enforced; compiled in {milliseconds:0.0} ms."));
    }

    private static void WriteJson(bool accepted, IReadOnlyList<KeywordReport> keywords, double milliseconds)
    {
        using var writer = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteBoolean("accepted", accepted);
        writer.WriteNumber("compile_ms", milliseconds);
        writer.WriteStartArray("keywords");
        foreach (var keyword in keywords)
        {
            writer.WriteStartObject();
            writer.WriteString("pointer", keyword.Place);
            writer.WriteString("keyword", keyword.Keyword);
            writer.WriteString("enforcement", keyword.Enforcement.ToString().ToLowerInvariant());
            if (keyword.Reason.Length > 0)
                writer.WriteString("reason", keyword.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
