using System.Text.Json;

namespace Slm.Tokenization.HuggingFace;

/// <summary>What the files beside a tokenizer.json say: tokenizer_config.json, special_tokens_map.json, generation_config.json, chat_template.jinja.</summary>
internal sealed class TokenizerConfig
{
    private readonly JsonPart? _config;
    private readonly JsonPart? _map;
    private readonly JsonPart? _generation;
    private readonly string? _templateFile;

    public TokenizerConfig(TokenizerTexts texts)
    {
        _config = Load("tokenizer_config.json", texts.Config);
        _map = Load("special_tokens_map.json", texts.SpecialTokensMap);
        _generation = Load("generation_config.json", texts.GenerationConfig);
        _templateFile = texts.ChatTemplate;
    }

    /// <summary>Parses a file; errors carry its name.</summary>
    public static JsonPart Parse(string name, string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 64 });
            return new JsonPart(document.RootElement.Clone(), name);
        }
        catch (JsonException e)
        {
            throw new TokenizerFormatException($"{name} is not valid JSON: {e.Message}", e);
        }
    }

    private static JsonPart? Load(string name, string? text) => text is not null && Parse(name, text) is { IsObject: true } part ? part : null;

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
