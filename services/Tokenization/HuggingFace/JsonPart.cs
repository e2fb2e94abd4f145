using System.Text.Json;

namespace Slm.Tokenization.HuggingFace;

/// <summary>A JSON value with its path, so that every complaint says where.</summary>
internal readonly record struct JsonPart(JsonElement Element, string Path)
{
    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    /// <summary>A property that is there and not null.</summary>
    public JsonPart? Get(string name)
    {
        if (!IsObject)
            throw Wrong("an object");
        return Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonPart(value, $"{Path}.{name}")
            : null;
    }

    public JsonPart Require(string name) => Get(name) ?? throw new TokenizerFormatException($"{Path}.{name} is missing");

    public string AsString() => Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Wrong("a string");

    public bool AsBool() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("a bool"),
    };

    public int AsInt() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var i) ? i : throw Wrong("an integer");

    public double AsDouble() => Element.ValueKind == JsonValueKind.Number && Element.TryGetDouble(out var d) && double.IsFinite(d) ? d : throw Wrong("a finite number");

    public List<JsonPart> AsArray()
    {
        if (Element.ValueKind != JsonValueKind.Array)
            throw Wrong("an array");
        var items = new List<JsonPart>(Element.GetArrayLength());
        foreach (var item in Element.EnumerateArray())
            items.Add(new JsonPart(item, $"{Path}[{items.Count}]"));
        return items;
    }

    public string String(string name) => Require(name).AsString();

    public string? OptionalString(string name) => Get(name)?.AsString();

    public bool Bool(string name, bool otherwise) => Get(name)?.AsBool() ?? otherwise;

    public int Int(string name, int otherwise) => Get(name)?.AsInt() ?? otherwise;

    public TokenizerFormatException Wrong(string expected)
    {
        var raw = Element.GetRawText();
        return new TokenizerFormatException($"{Path} = {(raw.Length > 60 ? raw[..60] + "…" : raw)}, expected {expected}");
    }
}
