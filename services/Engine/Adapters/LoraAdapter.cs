using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Adapters;

/// <summary>
/// A low-rank adapter (Hu et al. 2021, arXiv 2106.09685) on disk, checked against the model it is for: to weight matrices W of the model
/// it adds scale · B·A, where A has few rows and B as few columns. Pipelines copy what they need of it, so it may be disposed as soon
/// as it is loaded.
/// </summary>
public sealed class LoraAdapter : IDisposable
{
    private readonly Lazy<string> _sha256;
    private readonly IDisposable _source;

    internal LoraAdapter(string path, string name, float alpha, float strength, IReadOnlyList<LoraPair> pairs, Func<string> sha256, IDisposable source)
    {
        Path = path;
        Name = name;
        Alpha = alpha;
        Strength = strength;
        Pairs = pairs;
        _sha256 = new Lazy<string>(sha256);
        _source = source;
    }

    /// <summary>Its file or folder.</summary>
    public string Path { get; }

    /// <summary>The file's name without its extension, or the folder's.</summary>
    public string Name { get; }

    /// <summary>The file's α: a matrix of rank r is scaled by α/r; 0 where the file has none, which stands for a scale of 1.</summary>
    public float Alpha { get; }

    /// <summary>Factor on top of the file's own scale, 1 unless the user wants more or less of it.</summary>
    public float Strength { get; }

    /// <summary>Names of the tensors that it changes.</summary>
    public IEnumerable<string> Tensors => Pairs.Select(p => p.Tensor);

    /// <summary>Largest rank of a matrix.</summary>
    public int Rank => Pairs.Max(p => p.Rank);

    /// <summary>Elements of all its matrices.</summary>
    public long ParameterCount => Pairs.Sum(p => p.Elements);

    /// <summary>SHA-256 of its file or files, in lower-case hexadecimal; computed once, on first use.</summary>
    public string Sha256 => _sha256.Value;

    /// <summary>Names what it does to the model's numbers: the files' hash and the strength.</summary>
    public string Identity => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Sha256}*{Strength:r}");

    internal IReadOnlyList<LoraPair> Pairs { get; }

    /// <summary>The first tensor of routed experts that it changes, be it of all or of one; null if it leaves them alone.</summary>
    internal string? ExpertTensor => Pairs.FirstOrDefault(pair => pair.Experts > 1 || IsOfOneExpert(pair.Tensor))?.Tensor;

    /// <summary>Opens an adapter: a GGUF file of type "adapter", or a folder as PEFT writes them.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="model">The model it is for.</param>
    /// <param name="strength">Factor on top of the file's own scale.</param>
    /// <exception cref="AdapterFormatException">It is malformed, not supported, or for another model; names tensor or field, value and remedy.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static LoraAdapter Open(string path, ModelFile model, float strength = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(model);
        if (!float.IsFinite(strength))
            throw new ArgumentOutOfRangeException(nameof(strength), strength, "The strength of an adapter must be a finite number.");
        if (Directory.Exists(path))
            return PeftLora.Open(path, model, strength);
        return System.IO.Path.GetFileName(path) is PeftConfig.FileName || path.EndsWith(".safetensors", StringComparison.Ordinal)
            ? PeftLora.Open(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!, model, strength)
            : GgufLora.Open(path, model, strength);
    }

    /// <summary>Makes sure that every tensor it changes is one that the stages compute with.</summary>
    /// <param name="used">What the stages have taken of it.</param>
    /// <param name="config">The model.</param>
    /// <exception cref="AdapterFormatException">Names the first that is not.</exception>
    public void RequireAllOf(IReadOnlySet<string> used, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(used);
        ArgumentNullException.ThrowIfNull(config);
        foreach (var pair in Pairs)
        {
            if (!used.Contains(pair.Tensor))
                throw new AdapterFormatException(Name, pair.A.Name, $"'{pair.A.Name}' changes the tensor '{pair.Tensor}', which {Reason(pair, config)}.");
        }
    }

    /// <summary>As <c>blk.0.ffn_gate.7.weight</c>.</summary>
    private static bool IsOfOneExpert(string tensor) =>
        tensor.Split('.') is ["blk", _, "ffn_gate" or "ffn_up" or "ffn_down", var expert, "weight"] && expert.All(char.IsAsciiDigit);

    private static string Reason(LoraPair pair, ModelConfig config) => pair.Experts > 1
        ? "is read from disk when it is visited; adapters of experts need the experts in memory: load the model without a limit of expert memory"
        : $"the architecture '{config.Architecture}' does not multiply by; adapters can change the matrices of attention, feed-forward, experts, state-space layers, head and embedding";

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();
}
