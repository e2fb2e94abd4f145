using Slm.Tokenization.Gguf;

namespace Slm.Tokenization;

/// <summary>Builds tokenizers from model files. The files are untrusted: whatever is wrong is named in a <see cref="TokenizerFormatException"/>.</summary>
public static class TokenizerLoader
{
    /// <summary>From the metadata of a GGUF file (keys <c>tokenizer.ggml.*</c>, <c>tokenizer.chat_template</c>), values in their exact .NET types.</summary>
    /// <exception cref="TokenizerFormatException">A key is missing, has a wrong type or length, or names what does not exist.</exception>
    public static ITokenizer FromGguf(IReadOnlyDictionary<string, object> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return new GgufTokenizerReader(metadata).Read();
    }

    /// <summary>From a Hugging Face tokenizer.json; reads tokenizer_config.json, generation_config.json and chat_template.jinja beside it.</summary>
    /// <exception cref="TokenizerFormatException">The file is malformed or uses a component that is not known.</exception>
    public static ITokenizer FromTokenizerJson(string path) =>
        throw new NotSupportedException($"tokenizer.json cannot be read yet: {path}");
}
