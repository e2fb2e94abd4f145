using System.Text;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Tokens;
using Xunit;

namespace Slm.Engine.Tests.Constraints;

/// <summary>
/// JSON-Schema-Test-Suite, draft 2020-12, all required tests, and the optional ones on formats: a schema is refused, or every instance is judged as the suite
/// judges it. How many schemas of a file are refused is fixed below: it may only get less.
/// </summary>
public sealed class JsonSchemaSuiteTests
{
    // By file: what is refused by name (references to other documents, dynamic references, unevaluated members, unequal items of any type).
    private static readonly Dictionary<string, int> Refused = new(StringComparer.Ordinal)
    {
        ["defs.json"] = 1,
        ["dynamicRef.json"] = 12,
        ["multipleOf.json"] = 1,
        ["not.json"] = 1,
        ["ref.json"] = 2,
        ["refRemote.json"] = 15,
        ["unevaluatedItems.json"] = 28,
        ["unevaluatedProperties.json"] = 43,
        ["uniqueItems.json"] = 3,
    };

    [Fact]
    public void RequiredTests()
    {
        var wrong = new List<string>();
        var refused = new Dictionary<string, int>(StringComparer.Ordinal);
        var judged = 0;
        foreach (var (path, json) in TestArchive.Read("json-schema-test-suite-2020-12.tar.gz"))
        {
            // A vocabulary that turns validation off is a matter of the metaschema, which is not read.
            if (!path.StartsWith("tests/draft2020-12/", StringComparison.Ordinal) || path.Contains("/optional/", StringComparison.Ordinal) || path.EndsWith("/vocabulary.json", StringComparison.Ordinal))
                continue;

            // The suite's required tests take "format" for an annotation.
            judged += Judge(path, json, new JsonForm { IgnoreFormat = true }, wrong, refused);
        }

        Assert.Empty(wrong);
        Assert.Equal(Refused, refused);
        Assert.True(judged >= 985, $"Only {judged} instances were judged.");
    }

    [Theory]
    [InlineData("date")]
    [InlineData("time")]
    [InlineData("date-time")]
    [InlineData("duration")]
    [InlineData("email")]
    [InlineData("hostname")]
    [InlineData("ipv4")]
    [InlineData("ipv6")]
    [InlineData("uri")]
    [InlineData("uri-reference")]
    [InlineData("uuid")]
    [InlineData("json-pointer")]
    [InlineData("relative-json-pointer")]
    public void Formats(string format)
    {
        var wrong = new List<string>();
        foreach (var (path, json) in TestArchive.Read("json-schema-test-suite-2020-12.tar.gz"))
        {
            if (path.EndsWith($"/optional/format/{format}.json", StringComparison.Ordinal))
                Judge(path, json, new JsonForm(), wrong, []);
        }

        // Internationalized labels and leap seconds away from UTC are valid and not offered; nothing invalid is accepted.
        Assert.DoesNotContain(wrong, w => !w.EndsWith("rejected", StringComparison.Ordinal) || !(w.Contains("\"xn--", StringComparison.Ordinal) || w.Contains(":60", StringComparison.Ordinal)));
    }

    private static int Judge(string path, System.Text.Json.JsonDocument json, JsonForm form, List<string> wrong, Dictionary<string, int> refused)
    {
        var file = Path.GetFileName(path);
        var judged = 0;
        foreach (var group in json.RootElement.EnumerateArray())
        {
            TokenConstraint? constraint = null;
            try
            {
                constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(group.GetProperty("schema").GetRawText(), form)), Bytes.Vocabulary);
            }
            catch (UnsatisfiableConstraintException)
            {
                // Then no instance may be valid.
            }
            catch (ConstraintException)
            {
                refused[file] = refused.GetValueOrDefault(file) + 1;
                continue;
            }

            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                judged++;
                var valid = test.GetProperty("valid").GetBoolean();
                var accepted = constraint is not null && Bytes.Accepts(constraint, TestArchive.Write(test.GetProperty("data")));
                if (accepted != valid)
                    wrong.Add($"{file}: {group.GetProperty("description")} / {test.GetProperty("description")}: {test.GetProperty("data").GetRawText()} {(valid ? "rejected" : "accepted")}");
            }
        }

        return judged;
    }
}

/// <summary>A vocabulary with a token for each byte.</summary>
internal static class Bytes
{
    /// <summary>Token 256 ends a text.</summary>
    public static TokenVocabulary Vocabulary { get; } = new(257, id => id < 256 ? new[] { (byte)id } : ReadOnlyMemory<byte>.Empty, [256]);

    /// <summary>Whether a text belongs to a constraint, byte by byte.</summary>
    public static bool Accepts(TokenConstraint constraint, string text)
    {
        var state = constraint.Start();
        return state.Accept(Encoding.UTF8.GetBytes(text)) && state.CanEnd;
    }
}
