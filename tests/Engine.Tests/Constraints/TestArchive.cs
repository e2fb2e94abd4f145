using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Slm.Engine.Tests.Constraints;

/// <summary>The archives in tests/data/json-schema.</summary>
internal static class TestArchive
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The JSON files of an archive, by path.</summary>
    public static IEnumerable<(string Path, JsonDocument Json)> Read(string archive)
    {
        using var file = File.OpenRead(System.IO.Path.Combine(Folder(), archive));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        using var tar = new TarReader(unzipped);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } data && entry.Name.EndsWith(".json", StringComparison.Ordinal))
                yield return (entry.Name.TrimStart('.', '/'), JsonDocument.Parse(data));
        }
    }

    /// <summary>A value as JSON text with a space behind colons and commas, its members in their order.</summary>
    public static string Write(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(", ", value.EnumerateObject().Select(m => $"{JsonSerializer.Serialize(m.Name, Plain)}: {Write(m.Value)}")) + "}",
        JsonValueKind.Array => "[" + string.Join(", ", value.EnumerateArray().Select(Write)) + "]",
        JsonValueKind.String => JsonSerializer.Serialize(value.GetString(), Plain),
        _ => value.GetRawText(),
    };

    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var data = System.IO.Path.Combine(folder.FullName, "tests", "data", "json-schema");
            if (Directory.Exists(data))
                return data;
        }

        throw new DirectoryNotFoundException("tests/data/json-schema was not found above the test's folder.");
    }
}
