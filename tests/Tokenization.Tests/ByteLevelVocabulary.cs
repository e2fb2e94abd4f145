namespace Slm.Tokenization.Tests;

/// <summary>Small byte-level vocabularies as GGUF metadata.</summary>
internal static class ByteLevelVocabulary
{
    /// <summary>256 bytes in the byte-level alphabet, then one token per merge, then control tokens.</summary>
    public static Dictionary<string, object> Gguf(string[] merges, string[]? control = null, string pre = "gpt-2")
    {
        List<string> tokens = [.. Alphabet()];
        tokens.AddRange(merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal)));
        var types = Enumerable.Repeat(1, tokens.Count).Concat(Enumerable.Repeat(3, control?.Length ?? 0)).ToArray();
        tokens.AddRange(control ?? []);
        return new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = pre,
            ["tokenizer.ggml.tokens"] = tokens.ToArray(),
            ["tokenizer.ggml.token_type"] = types,
            ["tokenizer.ggml.merges"] = merges,
        };
    }

    /// <summary>The visible character of every byte, in the order of the bytes.</summary>
    public static IEnumerable<string> Alphabet()
    {
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255);
            yield return ((char)(printable ? b : next++)).ToString();
        }
    }
}
