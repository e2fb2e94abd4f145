namespace Slm.Tokenization.HuggingFace;

/// <summary>The texts of a tokenizer.json and of the files beside it; null for those that are missing.</summary>
/// <param name="Name">Name of the first, for errors.</param>
/// <param name="Tokenizer">tokenizer.json.</param>
/// <param name="Config">tokenizer_config.json.</param>
/// <param name="SpecialTokensMap">special_tokens_map.json.</param>
/// <param name="GenerationConfig">generation_config.json.</param>
/// <param name="ChatTemplate">chat_template.jinja.</param>
internal sealed record TokenizerTexts(string Name, string Tokenizer, string? Config, string? SpecialTokensMap, string? GenerationConfig, string? ChatTemplate)
{
    /// <summary>Metadata key of the first text; the GGUF specification has it for the whole of a tokenizer.json.</summary>
    public const string TokenizerKey = "tokenizer.huggingface.json";

    /// <summary>From files.</summary>
    public static TokenizerTexts FromFolder(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string? Text(string name) => Path.Combine(folder, name) is var file && File.Exists(file) ? File.ReadAllText(file) : null;
        return new TokenizerTexts(
            Path.GetFileName(path), File.ReadAllText(path), Text("tokenizer_config.json"), Text("special_tokens_map.json"), Text("generation_config.json"), Text("chat_template.jinja"));
    }

    /// <summary>From a model's metadata, where a folder's files are.</summary>
    /// <exception cref="TokenizerFormatException">A key is no text.</exception>
    public static TokenizerTexts FromMetadata(IReadOnlyDictionary<string, object> metadata)
    {
        string? Text(string name) => !metadata.TryGetValue("tokenizer.huggingface." + name, out var value) ? null
            : value as string ?? throw new TokenizerFormatException($"tokenizer.huggingface.{name} is a {value.GetType().Name}, expected a string");
        return new TokenizerTexts("tokenizer.json", Text("json")!, Text("config"), Text("special_tokens_map"), Text("generation_config"), Text("chat_template"));
    }
}
