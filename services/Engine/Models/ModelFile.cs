using Slm.Engine.Execution;
using Slm.Engine.Formats;

namespace Slm.Engine.Models;

/// <summary>A model on disk: its file, hyper-parameters, and tensors with their shapes checked before use.</summary>
public sealed class ModelFile : IDisposable
{
    private readonly Lazy<string> _sha256;

    private ModelFile(ModelSource source)
    {
        Source = source;
        Config = ModelConfig.FromSource(source);
        QuantizationName = NameQuantization(source);
        KvType = QuantizationName is "F32" or "F16" or "BF16" ? KvType.F32 : KvType.Q16;
        ParameterCount = source.Tensors.Sum(t => t.Elements);
        _sha256 = new Lazy<string>(source.ComputeSha256);
    }

    /// <summary>The file or folder.</summary>
    public ModelSource Source { get; }

    /// <summary>Hyper-parameters.</summary>
    public ModelConfig Config { get; }

    /// <summary>The file's name without its extension, or the folder's: what requests call the model.</summary>
    public string Name => Source.Name;

    /// <summary>Type of most weights, such as "Q4_0".</summary>
    public string QuantizationName { get; }

    /// <summary>
    /// What keys and values of this model are best kept as: 16-bit integers beside quantized weights, whose products round far
    /// more coarsely, and floats beside floats.
    /// </summary>
    public KvType KvType { get; }

    /// <summary>Elements of all tensors.</summary>
    public long ParameterCount { get; }

    /// <summary>SHA-256 of the file, or of all files of a folder, as mapped, in lower-case hexadecimal; computed once, on first use.</summary>
    public string Sha256 => _sha256.Value;

    /// <summary>Opens a model.</summary>
    /// <exception cref="ModelFormatException">The file is malformed or its architecture is not supported.</exception>
    public static ModelFile Open(string path)
    {
        var source = ModelSource.Open(path);
        try
        {
            return new ModelFile(source);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>A tensor that must be there, with exactly this shape and one of these types.</summary>
    /// <param name="name">Name in the file.</param>
    /// <param name="types">What the caller can read.</param>
    /// <param name="shape">Contiguous dimension first; trailing ones of size 1 may be left out on either side.</param>
    /// <exception cref="ModelFormatException">It is missing or different.</exception>
    public TensorInfo Require(string name, IReadOnlyCollection<TensorType> types, params ReadOnlySpan<long> shape) =>
        Find(name, types, shape) ?? throw new ModelFormatException($"{Path.GetFileName(Source.Path)}: the tensor '{name}' is missing; the architecture '{Config.Architecture}' needs it.");

    /// <summary>A tensor that may be absent; where it is there, its shape and type must be right.</summary>
    /// <exception cref="ModelFormatException">It has another shape or type.</exception>
    public TensorInfo? Find(string name, IReadOnlyCollection<TensorType> types, params ReadOnlySpan<long> shape)
    {
        if (!Source.TryGetTensor(name, out var tensor))
            return null;
        var same = true;
        for (var d = 0; d < Math.Max(shape.Length, tensor.Shape.Count); d++)
            same &= (d < shape.Length ? shape[d] : 1) == (d < tensor.Shape.Count ? tensor.Shape[d] : 1);
        if (!same)
            throw new ModelFormatException($"{Path.GetFileName(Source.Path)}: the tensor '{name}' has the shape {tensor.ShapeText}; [{string.Join(", ", shape.ToArray())}] is expected.");
        if (!types.Contains(tensor.Type))
            throw new ModelFormatException($"{Path.GetFileName(Source.Path)}: the tensor '{name}' is {tensor.Type}, which is not supported here. Supported: {string.Join(", ", types)}.");
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose() => Source.Dispose();

    private static string NameQuantization(ModelSource source) => source.Tensors.Where(t => t.Shape.Count > 1).GroupBy(t => t.Type)
        .OrderByDescending(g => g.Sum(t => t.Elements)).Select(g => g.Key.ToString()).FirstOrDefault() ?? "F32";
}
