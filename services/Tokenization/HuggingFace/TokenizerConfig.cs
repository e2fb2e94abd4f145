using System.Text.Json;

namespace Slm.Tokenization.HuggingFace;

/// <summary>What the files beside a tokenizer.json say: tokenizer_config.json, special_tokens_map.json, generation_config.json, chat_template.jinja.</summary>
internal sealed class TokenizerConfig
{
    private readonly JsonPart? _config;
    private readonly JsonPart? _map;
    private readonly JsonPart? _generation;
    private readonly string? _templateFile;

    public TokenizerConfig(string folder)
    {
        _config = Load(folder, "tokenizer_config.json");
        _map = Load(folder, "special_tokens_map.json");
        _generation = Load(folder, "generation_config.json");
        var template = Path.Combine(folder, "chat_template.jinja");
        _templateFile = File.Exists(template) ? File.ReadAllText(template) : null;
    }

    /// <summary>Parses a file; errors carry its name.</summary>
    public static JsonPart Parse(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            using var document = JsonDocument.Parse(stream, new JsonDocumentOptions { MaxDepth = 64 });
            return new JsonPart(document.RootElement.Clone(), Path.GetFileName(path));
        }
        catch (JsonException e)
        {
            throw new TokenizerFormatException($"{Path.GetFileName(path)} is not valid JSON: {e.Message}", e);
        }
    }

    private static JsonPart? Load(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        return File.Exists(path) && Parse(path) is { IsObject: true } part ? part : null;
    }

    /// <summary>The text of a special token: "bos", "eos", "pad", "unk".</summary>
    public string? Token(string name)
    {
        var part = _config?.Get(name + "_token") ?? _map?.Get(name + "_token");
        return part switch
        {
            null => null,
            { IsObject: true } p => p.String("content"),
            { Element.ValueKind: JsonValueKind.String } p => p.AsString(),
            _ => null,
        };
    }

    public bool? Flag(string name) => _config?.Get(name) is { Element.ValueKind: JsonValueKind.True or JsonValueKind.False } p ? p.AsBool() : null;

    /// <summary>Ids that end a generation, from generation_config.json.</summary>
    public IEnumerable<int> EndIds()
    {
        if (_generation?.Get("eos_token_id") is not { } part)
            return [];
        return part.Element.ValueKind == JsonValueKind.Array ? part.AsArray().Select(static p => p.AsInt()) : [part.AsInt()];
    }

    public Dictionary<string, string> ChatTemplates()
    {
        var templates = new Dictionary<string, string>();
        switch (_config?.Get("chat_template"))
        {
            case { Element.ValueKind: JsonValueKind.String } single:
                templates["default"] = single.AsString();
                break;
            case { Element.ValueKind: JsonValueKind.Array } list:
                foreach (var item in list.AsArray())
                    templates[item.String("name")] = item.String("template");
                break;
        }

        if (_templateFile is not null)
            templates["default"] = _templateFile;
        return templates;
    }
}
