using System.Globalization;

namespace Slm.Tokenization.Gguf;

/// <summary>Typed, checked access to the tokenizer keys of GGUF metadata, which is untrusted input.</summary>
internal sealed class GgufTokenizerKeys(IReadOnlyDictionary<string, object> metadata)
{
    private const string Prefix = "tokenizer.ggml.";

    public string? String(string key) => Get(key) switch
    {
        null => null,
        string s => s,
        var other => throw WrongType(key, other, "a string"),
    };

    public bool? Bool(string key) => Get(key) switch
    {
        null => null,
        bool b => b,
        var other => throw WrongType(key, other, "a bool"),
    };

    public string[]? Strings(string key) => Get(key) switch
    {
        null => null,
        string[] s => s,
        var other => throw WrongType(key, other, "an array of strings"),
    };

    /// <summary>An array of floats with one value per token, all finite.</summary>
    public float[]? Scores(string key, int count)
    {
        if (Get(key) is not { } value)
            return null;
        if (value is not float[] scores)
            throw WrongType(key, value, "an array of floats");
        CheckLength(key, scores.Length, count);
        for (var i = 0; i < scores.Length; i++)
        {
            if (!float.IsFinite(scores[i]))
                throw new TokenizerFormatException($"{Prefix}{key}[{i}] = {scores[i]} is not finite");
        }

        return scores;
    }

    /// <summary>An array of integers with one value per token.</summary>
    public int[]? Integers(string key, int count)
    {
        if (Get(key) is not { } value)
            return null;
        int[] result = value switch
        {
            int[] a => a,
            uint[] a => Array.ConvertAll(a, static x => (int)Math.Min(x, int.MaxValue)),
            sbyte[] a => Array.ConvertAll(a, static x => (int)x),
            byte[] a => Array.ConvertAll(a, static x => (int)x),
            short[] a => Array.ConvertAll(a, static x => (int)x),
            ushort[] a => Array.ConvertAll(a, static x => (int)x),
            long[] a => Array.ConvertAll(a, static x => (int)Math.Clamp(x, int.MinValue, int.MaxValue)),
            _ => throw WrongType(key, value, "an array of integers"),
        };
        CheckLength(key, result.Length, count);
        return result;
    }

    public byte[]? Bytes(string key) => Get(key) switch
    {
        null => null,
        byte[] b => b,
        sbyte[] b => Array.ConvertAll(b, static x => (byte)x),
        var other => throw WrongType(key, other, "an array of bytes"),
    };

    /// <summary>A token id, in range; null when absent or written as -1 (all bits set), which converters use for "none".</summary>
    public int? Id(string key, int vocabSize)
    {
        if (Get(key) is not { } value)
            return null;
        var id = value switch
        {
            uint or int or long or ulong or ushort or short or byte or sbyte => Convert.ToDecimal(value, CultureInfo.InvariantCulture),
            _ => throw WrongType(key, value, "an integer"),
        };
        if (id is -1 or uint.MaxValue)
            return null;
        return id >= 0 && id < vocabSize
            ? (int)id
            : throw new TokenizerFormatException($"{Prefix}{key} = {id} is outside the vocabulary of {vocabSize} tokens");
    }

    private static void CheckLength(string key, int length, int count)
    {
        if (length != count)
            throw new TokenizerFormatException($"{Prefix}{key} has {length} values, {Prefix}tokens has {count}");
    }

    private object? Get(string key) => metadata.GetValueOrDefault(Prefix + key);

    private static TokenizerFormatException WrongType(string key, object value, string expected) =>
        new($"{Prefix}{key} is a {value.GetType().Name}, expected {expected}");
}
