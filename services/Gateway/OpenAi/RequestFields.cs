using System.Text.Json;

namespace Slm.Gateway.OpenAi;

/// <summary>
/// The fields of one JSON request. Every read checks type and range and names the field; what was never read is refused by
/// <see cref="RefuseUnknown"/>, so nothing a client asks for is dropped in silence.
/// </summary>
internal sealed class RequestFields
{
    private readonly Dictionary<string, JsonElement> _fields = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly string _path;

    public RequestFields(JsonElement root, string path = "")
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw OpenAiException.Invalid(path.Length == 0 ? "body" : path, $"Expected a JSON object but found {Name(root)}.");
        _path = path;
        foreach (var property in root.EnumerateObject())
            _fields[property.Name] = property.Value;
    }

    /// <summary>The field where it is present and not null.</summary>
    public JsonElement? Get(string name)
    {
        _known.Add(name);
        return _fields.TryGetValue(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public string RequiredString(string name) =>
        String(name) ?? throw Missing(name);

    public string? String(string name) => Get(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong(name, value, "a string");

    public bool? Bool(string name) => Get(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Wrong(name, value, "true or false");

    public int? Int(string name, int min, int max)
    {
        if (Get(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var number))
            throw Wrong(name, value, "an integer");
        return number >= min && number <= max ? number
            : throw OpenAiException.Invalid(Path(name), $"'{Path(name)}' is {number}; it must be between {min} and {max}.");
    }

    public float? Float(string name)
    {
        if (Get(name) is not { } value)
            return null;
        // The range is the service's to judge; a number too large for a float must not become infinity unseen.
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number) || !float.IsFinite((float)number))
            throw Wrong(name, value, "a finite number");
        return (float)number;
    }

    public ulong? Seed(string name)
    {
        if (Get(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var signed))
            return unchecked((ulong)signed);
        return value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var seed) ? seed : throw Wrong(name, value, "a 64-bit integer");
    }

    /// <summary>A string or an array of strings.</summary>
    public IReadOnlyList<string> Strings(string name, int max)
    {
        if (Get(name) is not { } value)
            return [];
        if (value.ValueKind == JsonValueKind.String)
            return [value.GetString()!];
        if (value.ValueKind != JsonValueKind.Array)
            throw Wrong(name, value, "a string or an array of strings");
        if (value.GetArrayLength() > max)
            throw OpenAiException.Invalid(Path(name), $"'{Path(name)}' has {value.GetArrayLength()} entries; at most {max} are allowed.");
        return [.. value.EnumerateArray().Select((e, i) => e.ValueKind == JsonValueKind.String ? e.GetString()!
            : throw Wrong($"{name}[{i}]", e, "a string"))];
    }

    public int[] Ints(string name)
    {
        if (Get(name) is not { } value)
            return [];
        if (value.ValueKind != JsonValueKind.Array)
            throw Wrong(name, value, "an array of token ids");
        return ReadIds(value, Path(name));
    }

    /// <summary>Fields that change nothing in the answer: accepted and ignored.</summary>
    public void Harmless(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            _known.Add(name);
    }

    /// <summary>Refuses a field that would change the answer unless it has its neutral value.</summary>
    public void Refuse(string name, string remedy, Func<JsonElement, bool>? neutral = null)
    {
        if (Get(name) is { } value && neutral?.Invoke(value) != true)
            throw OpenAiException.Unsupported(Path(name), remedy);
    }

    /// <summary>Refuses the fields nobody asked for.</summary>
    public void RefuseUnknown()
    {
        foreach (var (name, value) in _fields)
            if (!_known.Contains(name) && value.ValueKind != JsonValueKind.Null)
                throw new OpenAiException(400, "invalid_request_error", $"Unrecognized request field '{Path(name)}'. Remove it or check its spelling.", Path(name), "unknown_parameter");
    }

    /// <summary>Full path of a field, for messages.</summary>
    public string Path(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    /// <summary>A field that must be there is not.</summary>
    public OpenAiException Missing(string name) => OpenAiException.Invalid(Path(name), $"'{Path(name)}' is required.", "missing_required_parameter");

    public OpenAiException Wrong(string name, JsonElement value, string expected) =>
        OpenAiException.Invalid(Path(name), $"'{Path(name)}' must be {expected} but is {Name(value)}.", "invalid_type");

    public static int[] ReadIds(JsonElement array, string path)
    {
        var ids = new int[array.GetArrayLength()];
        var i = 0;
        foreach (var element in array.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out ids[i]))
                throw OpenAiException.Invalid($"{path}[{i}]", $"'{path}[{i}]' must be a token id but is {Name(element)}.", "invalid_type");
            i++;
        }
        return ids;
    }

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };
}
