using System.Diagnostics;
using System.Text.Json;

namespace Slm.JsonSchema.Tests;

/// <summary>JSON-Schema-Test-Suite, draft 2020-12, required tests; skipped where the archive is not at hand.</summary>
public sealed class OfficialSuiteTests
{
    /// <summary>Keywords that are refused by name; all others must be right.</summary>
    private static readonly string[] Refused = ["dynamicRef", "unevaluatedItems", "unevaluatedProperties", "refRemote", "anchor", "vocabulary", "ref", "defs", "id"];

    [Fact]
    public void Every_document_of_the_official_suite_is_judged_right_or_its_schema_refused()
    {
        var archive = Find("shared/data/json-schema-test-suite-2020-12.tar.xz");
        Assert.SkipWhen(archive is null, "shared/data/json-schema-test-suite-2020-12.tar.xz is not beside the checkout.");
        var folder = Directory.CreateTempSubdirectory("schema-suite").FullName;
        try
        {
            using (var tar = Process.Start("tar", ["xf", archive!, "-C", folder]))
                tar.WaitForExit();
            var (judged, refused, wrong) = (0, 0, new List<string>());
            foreach (var file in Directory.GetFiles(Path.Combine(folder, "tests", "draft2020-12"), "*.json").Order(StringComparer.Ordinal))
            {
                var name = Path.GetFileNameWithoutExtension(file);

                // A vocabulary that turns validation off is a matter of the metaschema, which is not read.
                if (name == "vocabulary")
                    continue;
                using var groups = JsonDocument.Parse(File.ReadAllText(file));
                foreach (var group in groups.RootElement.EnumerateArray())
                {
                    JsonSchemaValidator validator;
                    try
                    {
                        validator = JsonSchemaValidator.Parse(group.GetProperty("schema").GetRawText());
                    }
                    catch (SchemaException error)
                    {
                        refused++;
                        // Files of other keywords use these as well, in few places.
                        if (!Refused.Contains(name) && !error.Message.Contains("cannot be checked", StringComparison.Ordinal) && !error.Message.Contains("outside of this document", StringComparison.Ordinal))
                            wrong.Add($"{name}: {group.GetProperty("description")} was refused: {error.Message}");
                        continue;
                    }

                    foreach (var test in group.GetProperty("tests").EnumerateArray())
                    {
                        judged++;
                        if ((validator.Validate(test.GetProperty("data")).Count == 0) != test.GetProperty("valid").GetBoolean())
                            wrong.Add($"{name}: {group.GetProperty("description")}: {test.GetProperty("description")}");
                    }
                }
            }

            Assert.True(wrong.Count == 0, string.Join('\n', wrong));
            Assert.True(judged > 900, $"only {judged} documents were judged, {refused} schemas refused");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? Find(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, path);
            if (File.Exists(candidate))
                return candidate;
        }

        return null;
    }
}
