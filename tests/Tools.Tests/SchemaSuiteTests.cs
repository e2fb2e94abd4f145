using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Slm.Tools.Schema;

namespace Slm.Tools.Tests;

/// <summary>JSON-Schema-Test-Suite, draft 2020-12: its required tests.</summary>
public sealed class SchemaSuiteTests
{
    /// <summary>What needs other documents, or the dialects and dynamic scopes of meta-schemas.</summary>
    private static readonly string[] Left = ["refRemote", "dynamicRef", "vocabulary"];

    private static readonly Dictionary<string, JsonElement> Files = Read();

    public static IEnumerable<TheoryDataRow<string>> Names => Files.Keys.Where(name => !Left.Contains(name)).Order(StringComparer.Ordinal).Select(name => new TheoryDataRow<string>(name));

    [Theory]
    [MemberData(nameof(Names))]
    public void The_suite_agrees_about(string name)
    {
        var wrong = new List<string>();
        foreach (var group in Files[name].EnumerateArray())
        {
            var schema = group.GetProperty("schema");
            // These describe schemas themselves and are not held here.
            if (schema.GetRawText().Contains("https://json-schema.org/draft/2020-12/schema\"", StringComparison.Ordinal) && schema.GetRawText().Contains("\"$ref\": \"https://json-schema.org", StringComparison.Ordinal))
                continue;
            if (schema.GetRawText().Contains("\"$dynamicRef\"", StringComparison.Ordinal) || schema.GetRawText().Contains("http://localhost:1234/draft2020-12/metaschema", StringComparison.Ordinal))
                continue;
            var validator = new SchemaValidator(schema);
            foreach (var test in group.GetProperty("tests").EnumerateArray())
                if ((validator.Validate(test.GetProperty("data")).Count == 0) != test.GetProperty("valid").GetBoolean())
                    wrong.Add($"{group.GetProperty("description")}: {test.GetProperty("description")}");
        }
        Assert.Empty(wrong);
    }

    private static Dictionary<string, JsonElement> Read()
    {
        using var file = File.OpenRead(Path.Combine(Root(), "tests", "data", "json-schema", "json-schema-test-suite-2020-12.tar.gz"));
        using var archive = new TarReader(new GZipStream(file, CompressionMode.Decompress));
        var files = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        while (archive.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is null || !entry.Name.EndsWith(".json", StringComparison.Ordinal) || Path.GetFileName(Path.GetDirectoryName(entry.Name)) != "draft2020-12" || entry.Name.Contains("remotes", StringComparison.Ordinal))
                continue;
            using var document = JsonDocument.Parse(entry.DataStream);
            files[Path.GetFileNameWithoutExtension(entry.Name)] = document.RootElement.Clone();
        }
        return files;
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "SlmPlatform.sln")))
            folder = folder.Parent;
        return folder.FullName;
    }
}
