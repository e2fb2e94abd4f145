using Slm.Tokenization.Gguf;

namespace Slm.Tokenization;

/// <summary>Builds tokenizers from model files. The files are untrusted: whatever is wrong is named in a <see cref="TokenizerFormatException"/>.</summary>
/// <remarks>
/// The pipeline is our own. Microsoft.ML.Tokenizers (2.0) reads neither GGUF metadata nor tokenizer.json, gives offsets
/// in UTF-16 units of the normalized text where we need bytes of the original, and has no byte fallback, ignore_merges,
/// Unigram from JSON, or decoder chains; so ids and offsets could not be exact on top of it. The tests use it as an
/// independent reference for byte-level BPE.
/// </remarks>
public static class TokenizerLoader
{
    /// <summary>
    /// From the metadata of a model: keys <c>tokenizer.ggml.*</c> and <c>tokenizer.chat_template</c>, or, without them, the files of a
    /// Hugging Face folder in <c>tokenizer.huggingface.*</c>; values in their exact .NET types.
    /// </summary>
    /// <exception cref="TokenizerFormatException">A key is missing, has a wrong type or length, or names what does not exist.</exception>
    public static ITokenizer FromGguf(IReadOnlyDictionary<string, object> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return metadata.ContainsKey("tokenizer.ggml.model") || !metadata.ContainsKey(HuggingFace.TokenizerTexts.TokenizerKey)
            ? new GgufTokenizerReader(metadata).Read()
            : HuggingFace.TokenizerJsonReader.Read(HuggingFace.TokenizerTexts.FromMetadata(metadata));
    }

    /// <summary>What kind of tokenizer a model's metadata has: that of GGUF files, "huggingface", or "" if it has none.</summary>
    public static string KindOf(IReadOnlyDictionary<string, object> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return metadata.GetValueOrDefault("tokenizer.ggml.model") as string ?? (metadata.ContainsKey(HuggingFace.TokenizerTexts.TokenizerKey) ? "huggingface" : "");
    }

    /// <summary>From a Hugging Face tokenizer.json; reads tokenizer_config.json, generation_config.json and chat_template.jinja beside it.</summary>
    /// <exception cref="TokenizerFormatException">The file is malformed or uses a component that is not known.</exception>
    public static ITokenizer FromTokenizerJson(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return HuggingFace.TokenizerJsonReader.Read(HuggingFace.TokenizerTexts.FromFolder(path));
    }
}
