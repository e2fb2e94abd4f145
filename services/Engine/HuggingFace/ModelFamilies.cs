using Slm.Engine.Formats;
using Slm.Engine.HuggingFace.Families;

namespace Slm.Engine.HuggingFace;

/// <summary>The kinds of models that folders are read as, by <c>model_type</c> in <c>config.json</c>.</summary>
internal static class ModelFamilies
{
    private static readonly SortedDictionary<string, (string Architecture, Action<FolderModel> Read)> Known = new(StringComparer.Ordinal)
    {
        ["bert"] = ("bert", BertFamily.Read),
        ["falcon_h1"] = ("falcon-h1", FalconH1Family.Read),
        ["gemma3"] = ("gemma3", GemmaFamily.Read),
        ["gemma3_text"] = ("gemma3", GemmaFamily.Read),
        ["llama"] = ("llama", m => LlamaFamily.Read(m, interleaved: true)),
        ["mamba2"] = ("mamba2", Mamba2Family.Read),
        ["minicpm"] = ("minicpm", MiniCpmFamily.Read),
        ["minicpm3"] = ("minicpm3", MiniCpmFamily.ReadLatent),
        ["mistral"] = ("llama", m => LlamaFamily.Read(m, interleaved: true)),
        ["mixtral"] = ("llama", m => LlamaFamily.Read(m, interleaved: true, ExpertNames.Mixtral)),
        ["modernbert"] = ("modern-bert", ModernBertFamily.Read),
        ["mt5"] = ("t5", T5Family.Read),
        ["nomic_bert"] = ("nomic-bert", NomicBertFamily.Read),
        ["phi3"] = ("phi3", Phi3Family.Read),
        ["plm"] = ("plm", PlmFamily.Read),
        ["qwen2"] = ("qwen2", m => LlamaFamily.Read(m, interleaved: false)),
        ["qwen2_moe"] = ("qwen2moe", m => LlamaFamily.Read(m, interleaved: false, ExpertNames.Qwen)),
        ["qwen3"] = ("qwen3", m => LlamaFamily.Read(m, interleaved: false)),
        ["qwen3_moe"] = ("qwen3moe", m => LlamaFamily.Read(m, interleaved: false, ExpertNames.Qwen)),
        ["smallthinker"] = ("smallthinker", SmallThinkerFamily.Read),
        ["t5"] = ("t5", T5Family.Read),
    };

    /// <summary>Published folders of these have no <c>model_type</c>.</summary>
    private static readonly Dictionary<string, string> ByClass = new(StringComparer.Ordinal)
    {
        ["SmallThinkerForCausalLM"] = "smallthinker",
    };

    /// <summary>Refuses what cannot be read, before any weights are looked at.</summary>
    /// <exception cref="ModelFormatException">The kind of model, or its quantization, is not supported.</exception>
    public static void Check(FolderConfig config)
    {
        _ = Find(config);
        foreach (var field in new[] { "quantization_config", "compression_config" })
        {
            if (config.Has(field))
            {
                var quantization = config.Object(field)!;
                throw config.Error(
                    $"the weights are quantized ('{field}', method '{quantization.Text("quant_method") ?? "unknown"}'), which is not supported. Supported: F32, F16 and BF16 safetensors, and quantized GGUF files.");
            }
        }
    }

    /// <summary>Maps metadata and tensors.</summary>
    /// <exception cref="ModelFormatException">Something is missing, malformed, not supported, or there are tensors that nothing uses.</exception>
    public static FolderModel Read(FolderConfig config, SafetensorsSet files)
    {
        var (architecture, read) = Find(config);
        var model = new FolderModel(architecture, config, files);
        read(model);
        model.Ignore(n => n.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal));
        var unused = model.Unused.Take(4).ToArray();
        return unused.Length == 0 ? model
            : throw config.Error($"the model has tensors that this kind of model does not use, so it would be computed wrongly: {string.Join(", ", unused.Take(3))}{(unused.Length > 3 ? ", …" : "")}.");
    }

    private static (string Architecture, Action<FolderModel> Read) Find(FolderConfig config)
    {
        var type = config.Text("model_type") ?? config.Texts("architectures") switch
        {
            [var name, ..] when ByClass.TryGetValue(name, out var known) => known,
            _ => throw config.Error($"'model_type' is missing. Supported: {string.Join(", ", Known.Keys)}."),
        };
        return Known.TryGetValue(type, out var family) ? family
            : throw config.Error($"the model_type '{type}' is not supported. Supported: {string.Join(", ", Known.Keys)}.");
    }
}
