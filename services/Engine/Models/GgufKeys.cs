using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>Reads hyper-parameters from metadata, whatever integer type a writer chose, with checks that name the key.</summary>
internal sealed class GgufKeys(ModelSource file, string architecture)
{
    /// <summary>A key of the architecture, such as <c>llama.block_count</c>.</summary>
    public string Key(string suffix) => $"{architecture}.{suffix}";

    public bool Has(string suffix) => file.Metadata.ContainsKey(Key(suffix));

    public int RequiredInt(string suffix, int min, int max) => Int(suffix, min, max)
        ?? throw Error($"the metadata key '{Key(suffix)}' is missing.");

    public int? Int(string suffix, int min, int max)
    {
        if (!file.Metadata.TryGetValue(Key(suffix), out var value))
            return null;
        long? number = value switch
        {
            byte v => v,
            sbyte v => v,
            ushort v => v,
            short v => v,
            uint v => v,
            int v => v,
            long v => v,
            ulong v when v <= long.MaxValue => (long)v,
            _ => null,
        };
        if (number is null)
            throw Error($"'{Key(suffix)}' is of type {value.GetType().Name}; an integer is expected.");
        return number >= min && number <= max ? (int)number
            : throw Error($"'{Key(suffix)}' is {number}; it must be between {min} and {max}.");
    }

    public float RequiredFloat(string suffix, double min, double max) => Float(suffix, min, max)
        ?? throw Error($"the metadata key '{Key(suffix)}' is missing.");

    public float? Float(string suffix, double min, double max)
    {
        if (!file.Metadata.TryGetValue(Key(suffix), out var value))
            return null;
        double? number = value switch
        {
            float v => v,
            double v => v,
            _ => null,
        };
        if (number is null)
            throw Error($"'{Key(suffix)}' is of type {value.GetType().Name}; a float is expected.");
        return number >= min && number <= max ? (float)number
            : throw Error($"'{Key(suffix)}' is {number}; it must be between {min} and {max}.");
    }

    public bool? Flag(string suffix) => !file.Metadata.TryGetValue(Key(suffix), out var value) ? null
        : value as bool? ?? throw Error($"'{Key(suffix)}' is of type {value.GetType().Name}; a bool is expected.");

    public string? Text(string suffix) => !file.Metadata.TryGetValue(Key(suffix), out var value) ? null
        : value as string ?? throw Error($"'{Key(suffix)}' is of type {value.GetType().Name}; a string is expected.");

    public ModelFormatException Error(string what) => new($"{Path.GetFileName(file.Path)}: {what}");
}
