using System.Text.Json;
using System.Text.RegularExpressions;

namespace Slm.Engine.Adapters;

/// <summary>
/// An untrusted <c>adapter_config.json</c> of PEFT: rank and scale of a module. What would change the model in another way than
/// scale · B·A is refused by its field.
/// </summary>
internal sealed class PeftConfig
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "adapter_config.json";

    private const int MaxBytes = 4 << 20;
    private readonly string _adapter;
    private readonly JsonElement _fields;
    private readonly (Regex Module, double Value)[] _ranks;
    private readonly (Regex Module, double Value)[] _alphas;
    private readonly double _rank;
    private readonly bool _byRoot;

    private PeftConfig(string adapter, JsonElement fields)
    {
        _adapter = adapter;
        _fields = fields;
        if (Text("peft_type") is var type && type != "LORA")
            throw Error("peft_type", $"'peft_type' is '{type ?? "missing"}'; only LORA is supported.");
        RefuseUnsupported();
        _rank = Number("r") is { } r && r >= 1 && r == Math.Floor(r) ? r : throw Error("r", $"'r' is {Raw("r")}; a whole number from 1 on is expected.");
        Alpha = Number("lora_alpha") is { } alpha && double.IsFinite(alpha) ? alpha : throw Error("lora_alpha", $"'lora_alpha' is {Raw("lora_alpha")}; a number is expected.");
        _byRoot = Flag("use_rslora");
        _ranks = Patterns("rank_pattern");
        _alphas = Patterns("alpha_pattern");
    }

    /// <summary>The α of modules without one of their own.</summary>
    public double Alpha { get; }

    /// <summary>Reads the file of a folder.</summary>
    /// <exception cref="AdapterFormatException">A field is missing, wrong, or asks for what is not supported.</exception>
    public static PeftConfig Read(string adapter, byte[] json)
    {
        if (json.Length > MaxBytes)
            throw new AdapterFormatException(adapter, FileName, $"{FileName} has {json.Length} bytes; at most {MaxBytes} are allowed.");
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 32 });
            return document.RootElement.ValueKind == JsonValueKind.Object ? new PeftConfig(adapter, document.RootElement.Clone())
                : throw new AdapterFormatException(adapter, FileName, $"{FileName} is no JSON object.");
        }
        catch (JsonException error)
        {
            throw new AdapterFormatException(adapter, FileName, $"{FileName} is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Rank that the configuration gives a module.</summary>
    public double RankOf(string module) => Match(_ranks, module) ?? _rank;

    /// <summary>α/r, or α/√r with rank-stabilized scaling (Kalajdzievski 2023).</summary>
    public double ScaleOf(string module) => (Match(_alphas, module) ?? Alpha) / (_byRoot ? Math.Sqrt(RankOf(module)) : RankOf(module));

    private static double? Match((Regex Module, double Value)[] patterns, string module)
    {
        foreach (var (pattern, value) in patterns)
        {
            if (pattern.IsMatch(module))
                return value;
        }

        return null;
    }

    private void RefuseUnsupported()
    {
        foreach (var (field, what) in new[]
        {
            ("use_dora", "DoRA scales whole columns of weights"), ("use_qalora", "QA-LoRA pools its inputs"), ("lora_bias", "biases beside the pairs"),
            ("fan_in_fan_out", "weights stored transposed"),
        })
        {
            if (Flag(field))
                throw Error(field, $"'{field}' is true ({what}), which is not supported; plain LoRA is.");
        }

        foreach (var field in new[] { "modules_to_save", "layer_replication", "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "exclude_layers", "arrow_config" })
        {
            if (Value(field) is { } value && !(value.ValueKind is JsonValueKind.Array && value.GetArrayLength() == 0) && value.ValueKind != JsonValueKind.False)
                throw Error(field, $"'{field}' is {Raw(field)}, which is not supported; merge such an adapter into the model.");
        }

        if (Text("bias") is { } bias && bias != "none")
            throw Error("bias", $"'bias' is '{bias}'; only 'none' is supported. Merge such an adapter into the model.");

        // The others leave the base as it is; these begin with a part of it taken out.
        if (Value("init_lora_weights") is { ValueKind: JsonValueKind.String } init && init.GetString() is var name && name is not ("gaussian" or "eva" or "orthogonal"))
            throw Error("init_lora_weights", $"'init_lora_weights' is '{name}', which changes the base model too. Convert the adapter to one for the base as it is, as PEFT's save_pretrained does with path_initial_model_for_weight_conversion.");
    }

    /// <summary>As PEFT matches them: a module whose end is the pattern, the first that fits.</summary>
    private (Regex Module, double Value)[] Patterns(string field)
    {
        if (Value(field) is not { } value)
            return [];
        if (value.ValueKind != JsonValueKind.Object)
            throw Error(field, $"'{field}' is {Raw(field)}; an object is expected.");
        return [.. value.EnumerateObject().Select(pair =>
        {
            if (pair.Value.ValueKind != JsonValueKind.Number || !pair.Value.TryGetDouble(out var number) || !double.IsFinite(number) || (field == "rank_pattern" && !(number >= 1)))
                throw Error(field, $"'{field}' of '{pair.Name}' is {pair.Value.GetRawText()}; a number{(field == "rank_pattern" ? " from 1 on" : "")} is expected.");
            try
            {
                // Untrusted: without backtracking, so that none takes forever.
                return (new Regex($@"^(.*\.)?({pair.Name})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant), number);
            }
            catch (Exception error) when (error is ArgumentException or NotSupportedException)
            {
                throw Error(field, $"'{field}' has the pattern '{pair.Name}', which cannot be used: {error.Message}");
            }
        })];
    }

    private JsonElement? Value(string field) => _fields.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private string? Text(string field) => Value(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Error(field, $"'{field}' is {Raw(field)}; a string is expected.");

    private bool Flag(string field) => Value(field) is { } value
        && (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Error(field, $"'{field}' is {Raw(field)}; true or false is expected."));

    private double? Number(string field) => Value(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out var number) ? number : null;

    private string Raw(string field) => Value(field)?.GetRawText() is { } text ? text.Length > 60 ? text[..60] + "…" : text : "missing";

    private AdapterFormatException Error(string field, string what) => new(_adapter, field, $"{FileName}: {what}");
}
