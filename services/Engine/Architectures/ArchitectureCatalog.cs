using Slm.Engine.Formats;

namespace Slm.Engine.Architectures;

/// <summary>Architectures by the name in <c>general.architecture</c>.</summary>
internal static class ArchitectureCatalog
{
    private static readonly LlamaArchitecture Llama = new();

    private static readonly SortedDictionary<string, IArchitecture> Known = new(StringComparer.Ordinal)
    {
        ["gemma3"] = new GemmaArchitecture(Llama),
        ["llama"] = Llama,
        ["minicpm"] = Llama,
        ["phi3"] = new Phi3Architecture(Llama),
        ["qwen2"] = Llama,
        ["qwen2moe"] = Llama,
        ["qwen3"] = Llama,
        ["qwen3moe"] = Llama,
        ["smallthinker"] = new SmallThinkerArchitecture(Llama),
    };

    /// <summary>The architecture of a model.</summary>
    /// <exception cref="ModelFormatException">It is not known.</exception>
    public static IArchitecture Get(string name) => Known.TryGetValue(name, out var architecture)
        ? architecture
        : throw new ModelFormatException($"Architecture '{name}' is not supported; known are {string.Join(", ", Known.Keys)}.");
}
