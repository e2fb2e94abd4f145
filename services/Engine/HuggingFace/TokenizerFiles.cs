using System.Text;
using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Engine.HuggingFace;

/// <summary>
/// The tokenizer's files of a folder as metadata: <c>tokenizer.huggingface.json</c>, which the GGUF specification has for the whole
/// of a tokenizer.json, and keys of the same kind for the files beside it. So a tokenizer survives in a file that is written from a folder.
/// </summary>
internal static class TokenizerFiles
{
    private const int MaxBytes = 48 << 20;

    private static readonly (string File, string Key)[] Files =
    [
        ("tokenizer.json", "tokenizer.huggingface.json"),
        ("tokenizer_config.json", "tokenizer.huggingface.config"),
        ("special_tokens_map.json", "tokenizer.huggingface.special_tokens_map"),
        ("generation_config.json", "tokenizer.huggingface.generation_config"),
        ("chat_template.jinja", "tokenizer.huggingface.chat_template"),
    ];

    /// <summary>Names of the files, relative to the folder.</summary>
    public static IEnumerable<string> Names => Files.Select(f => f.File);

    /// <summary>Adds what the folder has.</summary>
    /// <exception cref="ModelFormatException">A file is too long.</exception>
    public static void Add(string folder, Dictionary<string, object> metadata)
    {
        var length = 0L;
        foreach (var (name, key) in Files)
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
                continue;
            length += new FileInfo(path).Length;
            if (length > MaxBytes)
                throw new ModelFormatException($"{FolderConfig.FolderName(folder)}/{name}: the tokenizer's files have more than the {MaxBytes} bytes that are allowed.");
            metadata[key] = File.ReadAllText(path, Encoding.UTF8);
        }

        if ((metadata.GetValueOrDefault("tokenizer.huggingface.chat_template") ?? Template(metadata)) is { } template)
            metadata["tokenizer.chat_template"] = template;
    }

    /// <summary>The template in tokenizer_config.json, by which others see that there is one.</summary>
    private static string? Template(Dictionary<string, object> metadata)
    {
        if (!metadata.TryGetValue("tokenizer.huggingface.config", out var text))
            return null;
        try
        {
            using var document = JsonDocument.Parse((string)text);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("chat_template", out var found))
                return null;
            if (found.ValueKind == JsonValueKind.Array)
                found = found.EnumerateArray().FirstOrDefault(t => t.ValueKind == JsonValueKind.Object && t.TryGetProperty("name", out var name) && name.ValueEquals("default"));
            if (found.ValueKind == JsonValueKind.Object && !found.TryGetProperty("template", out found))
                return null;
            return found.ValueKind == JsonValueKind.String ? found.GetString() : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // Whoever reads the tokenizer says so.
            return null;
        }
    }
}
