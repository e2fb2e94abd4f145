using Slm.Engine.Formats;

namespace Slm.Engine.Architectures;

/// <summary>Architectures by the name in <c>general.architecture</c>.</summary>
internal static class ArchitectureCatalog
{
    private static readonly LlamaArchitecture Llama = new();

    private static readonly SortedDictionary<string, IArchitecture> Known = new(StringComparer.Ordinal)
    {
        ["bert"] = new BertArchitecture(Llama),
        ["falcon-h1"] = new FalconH1Architecture(Llama),
        ["gemma3"] = new GemmaArchitecture(Llama),
        ["jina-bert-v2"] = new BertArchitecture(Llama),
        ["llama"] = Llama,
        ["mamba2"] = new Mamba2Architecture(Llama),
        ["minicpm"] = Llama,
        ["minicpm3"] = new MiniCpm3Architecture(Llama),
        ["modern-bert"] = new ModernBertArchitecture(Llama),
        ["nomic-bert"] = new BertArchitecture(Llama),
        ["phi3"] = new Phi3Architecture(Llama),
        ["plm"] = new PlmArchitecture(Llama),
        ["qwen2"] = Llama,
        ["qwen2moe"] = Llama,
        ["qwen3"] = Llama,
        ["qwen3moe"] = Llama,
        ["smallthinker"] = new SmallThinkerArchitecture(Llama),
        ["t5"] = new T5Architecture(Llama),
    };

    /// <summary>The architecture of a model.</summary>
    /// <exception cref="ModelFormatException">It is not known.</exception>
    public static IArchitecture Get(string name) => Known.TryGetValue(name, out var architecture)
        ? architecture
        : throw new ModelFormatException($"Architecture '{name}' is not supported; known are {string.Join(", ", Known.Keys)}.");
}
