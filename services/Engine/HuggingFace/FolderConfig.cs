using System.Globalization;
using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Engine.HuggingFace;

/// <summary>An object of an untrusted <c>config.json</c>; errors name the field, its value, and what is expected.</summary>
internal sealed class FolderConfig
{
    private const int MaxBytes = 16 << 20;

    private readonly JsonElement _object;
    private readonly string _where;

    private FolderConfig(JsonElement value, string where)
    {
        _object = value;
        _where = where;
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="ModelFormatException">It is missing, too long, or no JSON object.</exception>
    public static FolderConfig Read(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        var where = $"{FolderName(folder)}/{name}";
        if (!File.Exists(path))
            throw new ModelFormatException($"{where} is missing: a folder with a model has it beside its *.safetensors.");
        if (new FileInfo(path).Length is > MaxBytes and var length)
            throw new ModelFormatException($"{where} has {length} bytes; at most {MaxBytes} are allowed.");
        try
        {
            using var document = JsonDocument.Parse(Finite(File.ReadAllBytes(path)), new JsonDocumentOptions { MaxDepth = 64 });
            return document.RootElement.ValueKind == JsonValueKind.Object ? new FolderConfig(document.RootElement.Clone(), where)
                : throw new ModelFormatException($"{where} is no JSON object.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException($"{where} is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Name of a folder, which errors begin with.</summary>
    public static string FolderName(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    /// <summary>True if the field is there and not null.</summary>
    public bool Has(string name) => Value(name) is not null;

    public int RequiredInt(string name) => Int(name) ?? throw Missing(name);

    /// <summary>An integer from 0 on.</summary>
    public int? Int(string name, int min = 0) => Value(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= min ? number
        : throw Wrong(name, value, $"an integer from {min} to {int.MaxValue}");

    public double RequiredNumber(string name) => Number(name) ?? throw Missing(name);

    public double? Number(string name) => Value(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) ? number : throw Wrong(name, value, "a number");

    public double[]? Numbers(string name)
    {
        if (Value(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.Number || !v.TryGetDouble(out _)))
            throw Wrong(name, value, "a list of numbers");
        return [.. value.EnumerateArray().Select(v => v.GetDouble())];
    }

    public bool? Flag(string name) => Value(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(name, value, "true or false");

    public string? Text(string name) => Value(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name, value, "a string");

    public string[]? Texts(string name)
    {
        if (Value(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.String))
            throw Wrong(name, value, "a list of strings");
        return [.. value.EnumerateArray().Select(v => v.GetString()!)];
    }

    public FolderConfig? Object(string name) => Value(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? new FolderConfig(value, $"{_where}: {name}") : throw Wrong(name, value, "an object");

    /// <summary>Refuses a text other than those that are supported, of which the first is the default.</summary>
    public void RequireText(string name, params ReadOnlySpan<string> supported)
    {
        var text = Text(name) ?? supported[0];
        if (!supported.Contains(text))
            throw Error($"'{name}' is '{text}', which is not supported for this kind of model. Supported: {string.Join(", ", supported.ToArray())}.");
    }

    /// <summary>Refuses a number other than one.</summary>
    public void RequireNumber(string name, double otherwise, double supported)
    {
        var number = Number(name) ?? otherwise;
        if (Math.Abs(number - supported) > 1e-6 * Math.Abs(supported))
            throw Error(string.Create(CultureInfo.InvariantCulture, $"'{name}' is {number}, but only {supported} is supported for this kind of model."));
    }

    public ModelFormatException Error(string what) => new($"{_where}: {what}");

    private JsonElement? Value(string name) => _object.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private ModelFormatException Missing(string name) => Error($"'{name}' is missing.");

    private ModelFormatException Wrong(string name, JsonElement value, string expected)
    {
        var raw = value.GetRawText();
        return Error($"'{name}' is {(raw.Length > 60 ? raw[..60] + "…" : raw)}; {expected} is expected.");
    }

    /// <summary>Python writes Infinity and NaN, which JSON does not have: 1e999, which reads as infinite, and null.</summary>
    private static byte[] Finite(byte[] json)
    {
        var output = new List<byte>(json.Length);
        var quoted = false;
        for (var i = 0; i < json.Length; i++)
        {
            if (json[i] == '"')
                quoted = !quoted;
            if (quoted && json[i] == '\\' && i + 1 < json.Length)
            {
                output.Add(json[i++]);
            }
            else if (!quoted && json.AsSpan(i).StartsWith("Infinity"u8))
            {
                output.AddRange("1e999"u8);
                i += "Infinity".Length - 1;
                continue;
            }
            else if (!quoted && json.AsSpan(i).StartsWith("NaN"u8))
            {
                output.AddRange("null"u8);
                i += "NaN".Length - 1;
                continue;
            }

            output.Add(json[i]);
        }

        return [.. output];
    }
}
