using System.Globalization;
using System.Text.RegularExpressions;
using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>Which type a recipe gives each tensor of a file, by the rules of llama.cpp (src/llama-quant.cpp).</summary>
/// <remarks>Its exceptions for the architecture "falcon" are left out: such files get the rules of all others.</remarks>
internal sealed partial class RecipeTypes
{
    private static readonly string[] Kept =
    [
        "_norm.weight", "ffn_gate_inp.weight", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight", "attn_rel_b.weight",
        ".position_embd", ".rel_pos", ".patch_embd", ".patch_merger", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight",
        "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight",
        "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
    ];

    private readonly QuantizationRecipe _recipe;
    private readonly IReadOnlyList<(Regex Pattern, TensorType Type)> _overrides;
    private readonly Dictionary<string, int> _valuePlaces = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _downPlaces = new(StringComparer.Ordinal);
    private readonly int _layers;
    private readonly int _experts;
    private readonly long _queriesPerKey;
    private readonly bool _seventyBillion;
    private readonly bool _tied;
    private readonly bool _importances;

    public RecipeTypes(ModelSource file, QuantizationRecipe recipe, IReadOnlyList<(Regex Pattern, TensorType Type)> overrides, bool importances)
    {
        _recipe = recipe;
        _overrides = overrides;
        _importances = importances;
        var architecture = file.Metadata.GetValueOrDefault("general.architecture") as string ?? "";
        _layers = (int)Number(file, architecture + ".block_count", 0);
        _experts = (int)Number(file, architecture + ".expert_count", 0);
        var heads = Number(file, architecture + ".attention.head_count", 1);
        var keyHeads = Number(file, architecture + ".attention.head_count_kv", heads);
        _queriesPerKey = keyHeads > 0 ? heads / keyHeads : 0;
        _seventyBillion = _layers == 80 && (architecture == "qwen2" || (architecture == "llama" && heads != keyHeads));
        _tied = !file.TryGetTensor("output.weight", out _);
        foreach (var tensor in file.Tensors.Where(Quantizable).OrderBy(t => LayerOf(t.Name)).ThenBy(t => t.Name, StringComparer.Ordinal))
        {
            if (IsValue(tensor.Name))
                _valuePlaces.Add(tensor.Name, _valuePlaces.Count);
            else if (tensor.Name.Contains("ffn_down", StringComparison.Ordinal))
                _downPlaces.Add(tensor.Name, _downPlaces.Count);
        }
    }

    /// <summary>The type of a tensor in the new file.</summary>
    public TensorType TypeOf(TensorInfo tensor)
    {
        if (!Quantizable(tensor))
            return tensor.Type;
        if (TensorTypes.BlockElements(_recipe.Type) == 1)
            return _recipe.Type;
        var name = tensor.Name;
        foreach (var (pattern, type) in _overrides)
        {
            if (pattern.IsMatch(name))
                return Fitting(type, tensor.Columns);
        }

        return Fitting(ByRule(tensor), tensor.Columns);
    }

    /// <summary>True for matrices that recipes touch: not norms, routers, small convolutions or positions.</summary>
    public static bool Quantizable(TensorInfo tensor) =>
        tensor.Shape.Skip(1).Any(n => n > 1)
        && tensor.Name.EndsWith("weight", StringComparison.Ordinal)
        && tensor.Name is not ("position_embd.weight" or "token_types.weight")
        && !Kept.Any(part => tensor.Name.Contains(part, StringComparison.Ordinal));

    /// <summary>The type itself, or what takes its place where columns are no multiple of its block.</summary>
    public static TensorType Fitting(TensorType type, long columns)
    {
        if (columns % TensorTypes.BlockElements(type) == 0)
            return type;
        var smaller = type switch
        {
            TensorType.Q2_K or TensorType.Q3_K => TensorType.Q4_0,
            TensorType.Q4_K => TensorType.Q5_0,
            TensorType.Q5_K => TensorType.Q5_1,
            TensorType.Q6_K => TensorType.Q8_0,
            _ => TensorType.F16,
        };
        return columns % TensorTypes.BlockElements(smaller) == 0 ? smaller : TensorType.F16;
    }

    private TensorType ByRule(TensorInfo tensor)
    {
        var (name, type) = (tensor.Name, _recipe.Type);
        if (name == "output.weight" || (_tied && IsEmbedding(name)))
            return tensor.Columns % TensorTypes.BlockElements(type) != 0 || type == TensorType.Q8_0 ? TensorType.Q8_0 : TensorType.Q6_K;
        if (IsEmbedding(name))
            return type;
        if (IsValue(name))
            return Value(_valuePlaces[name]);
        if (name.Contains("attn_k.weight", StringComparison.Ordinal))
            return _experts == 8 ? TensorType.Q8_0 : type;
        if (name.Contains("attn_output.weight", StringComparison.Ordinal))
            return Output();
        return name.Contains("ffn_down", StringComparison.Ordinal) ? Down(_experts > 1 ? LayerOf(name) : _downPlaces[name]) : type;
    }

    private TensorType Value(int place)
    {
        if (_experts == 8)
            return TensorType.Q8_0;
        var type = _recipe.Name switch
        {
            "Q2_K" => _queriesPerKey >= 4 ? TensorType.Q4_K : TensorType.Q3_K,
            "Q2_K_S" when _queriesPerKey >= 4 => TensorType.Q4_K,
            "Q3_K_M" or "Q3_K" => place < 2 ? TensorType.Q5_K : TensorType.Q4_K,
            "Q3_K_L" => TensorType.Q5_K,
            "IQ4_NL" when _queriesPerKey >= 4 => TensorType.Q5_K,
            "Q4_K_M" or "Q4_K" or "Q5_K_M" or "Q5_K" when MoreBits(place, _valuePlaces.Count) => TensorType.Q6_K,
            "Q4_K_S" when place < 4 => TensorType.Q5_K,
            _ => _recipe.Type,
        };
        return _seventyBillion && type is (TensorType.Q3_K or TensorType.Q4_K) ? TensorType.Q5_K : type;
    }

    private TensorType Down(int layer) => _recipe.Name switch
    {
        "Q2_K" => TensorType.Q3_K,
        "Q2_K_S" when layer < _layers / 8 => TensorType.Q4_K,
        "Q3_K_M" or "Q3_K" => layer < _layers / 16 ? TensorType.Q5_K : TensorType.Q4_K,
        "Q3_K_L" => TensorType.Q5_K,
        "Q4_K_M" or "Q4_K" or "Q5_K_M" or "Q5_K" when MoreBits(layer, _layers) => TensorType.Q6_K,
        "IQ4_NL" or "Q4_K_S" when layer < _layers / 8 && !(_importances && _recipe.Name == "IQ4_NL") => TensorType.Q5_K,
        "Q4_0" when _importances && layer < _layers / 8 => TensorType.Q4_1,
        "Q5_0" when _importances && layer < _layers / 8 => TensorType.Q5_1,
        _ => _recipe.Type,
    };

    private TensorType Output() => (_recipe.Name, _experts == 8) switch
    {
        ("Q2_K" or "Q3_K_S" or "Q3_K_M" or "Q3_K" or "IQ4_NL" or "Q4_K_S" or "Q4_K_M" or "Q4_K", true) => TensorType.Q5_K,
        ("Q2_K", false) => TensorType.Q3_K,
        ("Q3_K_M" or "Q3_K", false) => TensorType.Q4_K,
        ("Q3_K_L", false) => TensorType.Q5_K,
        _ => _recipe.Type,
    };

    /// <summary>The first and the last eighth of the layers, and every third between.</summary>
    private static bool MoreBits(int place, int count) => place < count / 8 || place >= 7 * count / 8 || (place - (count / 8)) % 3 == 2;

    private static bool IsEmbedding(string name) => name is "token_embd.weight" or "per_layer_token_embd.weight";

    private static bool IsValue(string name) =>
        name.Contains("attn_v.weight", StringComparison.Ordinal) || name.Contains("attn_qkv.weight", StringComparison.Ordinal) || name.Contains("attn_kv_b.weight", StringComparison.Ordinal);

    private static int LayerOf(string name) =>
        Layer().Match(name) is { Success: true } match && int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var layer) ? layer : -1;

    /// <summary>A number, or of a list its first element.</summary>
    private static long Number(ModelSource file, string key, long otherwise) => file.Metadata.GetValueOrDefault(key) switch
    {
        Array { Length: > 0 } list when list.GetValue(0) is IConvertible first and not string => first.ToInt64(CultureInfo.InvariantCulture),
        IConvertible value and not string => value.ToInt64(CultureInfo.InvariantCulture),
        _ => otherwise,
    };

    [GeneratedRegex(@"blk\.(\d{1,9})\.", RegexOptions.CultureInvariant)]
    private static partial Regex Layer();
}
