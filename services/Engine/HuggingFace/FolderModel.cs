using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.HuggingFace;

/// <summary>What a family makes of a folder: metadata and tensors under the names that GGUF files give them.</summary>
internal sealed unsafe class FolderModel(string architecture, FolderConfig config, SafetensorsSet files)
{
    private readonly Dictionary<string, object> _metadata = new(StringComparer.Ordinal) { ["general.architecture"] = architecture };
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    /// <summary>Hyper-parameters of the folder.</summary>
    public FolderConfig Config { get; } = config;

    /// <summary>Metadata so far.</summary>
    public Dictionary<string, object> Metadata => _metadata;

    /// <summary>Tensors so far.</summary>
    public List<FolderTensor> Tensors { get; } = [];

    /// <summary>Names of the folder's tensors that nothing has used or <see cref="Ignore"/>d.</summary>
    public IEnumerable<string> Unused => files.Names.Where(n => !_used.Contains(n)).Order(StringComparer.Ordinal);

    /// <summary>Sets <c>{architecture}.key</c>; a null is left out.</summary>
    public void Set(string key, int? value)
    {
        if (value is { } number)
            _metadata[$"{architecture}.{key}"] = (uint)number;
    }

    /// <summary>The same for a float.</summary>
    public void Set(string key, double? value)
    {
        if (value is { } number)
            _metadata[$"{architecture}.{key}"] = (float)number;
    }

    /// <summary>The same for a flag.</summary>
    public void Set(string key, bool value) => _metadata[$"{architecture}.{key}"] = value;

    /// <summary>The same for a text.</summary>
    public void Set(string key, string value) => _metadata[$"{architecture}.{key}"] = value;

    /// <summary>True if the folder has a tensor.</summary>
    public bool Has(string name) => files.TryGetTensor(name, out _);

    /// <summary>Says that tensors may be left unused.</summary>
    public void Ignore(Func<string, bool> names) => _used.UnionWith(files.Names.Where(names));

    /// <summary>A matrix and, where the folder has it, its bias: <c>from.weight</c> and <c>from.bias</c>.</summary>
    /// <param name="name">GGUF name without suffix.</param>
    /// <param name="from">The folder's name without suffix.</param>
    /// <param name="scale">Factor; with one the matrix becomes F32, and a bias is refused.</param>
    /// <param name="headSize">Size of heads whose rows change their order; see <see cref="TensorPart"/>.</param>
    public void Linear(string name, string from, double scale = 1, int headSize = 0)
    {
        Matrix(name + ".weight", from + ".weight", scale, headSize);
        if (!Has(from + ".bias"))
            return;
        if (scale != 1)
            throw Config.Error($"the tensor '{from}.bias' is not supported beside a multiplier.");
        Vector(name + ".bias", from + ".bias", headSize: headSize);
    }

    /// <summary>Weights of a norm and, where the folder has it, its bias.</summary>
    public void Norm(string name, string from)
    {
        Vector(name + ".weight", from + ".weight");
        if (Has(from + ".bias"))
            Vector(name + ".bias", from + ".bias");
    }

    /// <summary>A matrix.</summary>
    public void Matrix(string name, string from, double scale = 1, int headSize = 0)
    {
        var (tensor, type) = Take(from, 2);
        RequireHeads(tensor, headSize);
        AddRows(name, [new TensorPart(tensor, type, 0, tensor.Shape[0], (float)scale, headSize)], [tensor.Shape[1], tensor.Shape[0]]);
    }

    /// <summary>A matrix whose groups of rows have factors of their own.</summary>
    public void Segments(string name, string from, params ReadOnlySpan<(int Rows, double Scale)> segments)
    {
        var (tensor, type) = Take(from, 2);
        var parts = new List<TensorPart>();
        var first = 0L;
        foreach (var (rows, scale) in segments)
        {
            parts.Add(new TensorPart(tensor, type, first, rows, (float)scale));
            first += rows;
        }

        if (first != tensor.Shape[0])
            throw Config.Error($"the tensor '{from}' has the shape {tensor.ShapeText}; {first} rows are expected.");
        AddRows(name, parts.All(p => p.Scale == 1) ? [new TensorPart(tensor, type, 0, first)] : [.. parts], [tensor.Shape[1], first]);
    }

    /// <summary>Matrices of one shape behind each other, as experts are kept.</summary>
    public void Stack(string name, int count, Func<int, string> from)
    {
        // The last must be there before room is made for as many as a configuration claims.
        _ = Take(from(count - 1), 2);
        var parts = new TensorPart[count];
        for (var i = 0; i < count; i++)
        {
            var (tensor, type) = Take(from(i), 2);
            if (i > 0 && !tensor.Shape.SequenceEqual(parts[0].Tensor.Shape))
                throw Config.Error($"the tensor '{tensor.Name}' has the shape {tensor.ShapeText}, but '{parts[0].Tensor.Name}' {parts[0].Tensor.ShapeText}; they must be the same.");
            parts[i] = new TensorPart(tensor, type, 0, tensor.Shape[0]);
        }

        AddRows(name, parts, [parts[0].Tensor.Shape[1], parts[0].Tensor.Shape[0], count]);
    }

    /// <summary>A vector, as F32.</summary>
    /// <param name="name">GGUF name.</param>
    /// <param name="from">The folder's name.</param>
    /// <param name="change">What becomes of each element.</param>
    /// <param name="headSize">Size of heads whose elements change their order.</param>
    /// <param name="shape">Its shape, contiguous dimension first; else that of the folder.</param>
    public void Vector(string name, string from, Func<float, float>? change = null, int headSize = 0, long[]? shape = null)
    {
        var (tensor, type) = Take(from, 0);
        RequireHeads(tensor, headSize);
        shape ??= [.. tensor.Shape.Reverse()];
        if (shape.Aggregate(1L, (product, n) => product * n) != tensor.Elements || tensor.Elements is 0 or > int.MaxValue)
            throw Config.Error($"the tensor '{from}' has the shape {tensor.ShapeText}; {shape.Aggregate(1L, (product, n) => product * n)} elements are expected.");
        Values(name, shape, () =>
        {
            var stored = new float[tensor.Elements];
            fixed (float* target = stored)
                RowDequantizer.Dequantize(type, files.Pointer(tensor), target, stored.Length);
            var part = new TensorPart(tensor, type, 0, stored.Length, HeadSize: headSize);
            var values = new float[stored.Length];
            for (var i = 0; i < values.Length; i++)
                values[i] = change is null ? stored[part.RowOf(i)] : change(stored[part.RowOf(i)]);
            return values;
        });
    }

    /// <summary>A tensor of F32 that is computed.</summary>
    public void Values(string name, long[] shape, Func<float[]> values) =>
        Tensors.Add(new FolderTensor(files, new TensorInfo(name, TensorType.F32, shape, 0, shape.Aggregate(4L, (product, n) => product * n)), values));

    private void AddRows(string name, TensorPart[] parts, long[] shape)
    {
        // One factor, or types that are mixed, make it F32: rounding twice is not asked for.
        var type = parts.All(p => p.Scale == 1 && p.Type == parts[0].Type) ? parts[0].Type : TensorType.F32;
        var bytes = (Int128)TensorTypes.RowBytes(type, shape[0]) * parts.Sum(p => p.Rows);
        if (shape.Any(n => n <= 0) || bytes > long.MaxValue)
            throw Config.Error($"the tensor '{parts[0].Tensor.Name}' has the shape {parts[0].Tensor.ShapeText}, which no matrix can have.");
        Tensors.Add(new FolderTensor(files, new TensorInfo(name, type, shape, 0, (long)bytes), parts));
    }

    private (SafetensorsTensor Tensor, TensorType Type) Take(string name, int dimensions)
    {
        if (!files.TryGetTensor(name, out var tensor))
            throw Config.Error($"the tensor '{name}' is missing; this kind of model needs it.");
        _used.Add(name);
        return dimensions == 0 || tensor.Shape.Count == dimensions ? (tensor, files.FileOf(tensor).RequireFloats(tensor))
            : throw Config.Error($"the tensor '{name}' has the shape {tensor.ShapeText}; {dimensions} dimensions are expected.");
    }

    private void RequireHeads(SafetensorsTensor tensor, int headSize)
    {
        if (headSize > 0 && (headSize % 2 != 0 || tensor.Shape.Count == 0 || tensor.Shape[0] % headSize != 0))
            throw Config.Error($"the tensor '{tensor.Name}' has the shape {tensor.ShapeText}; a multiple of {headSize} rows, an even size of heads, is expected.");
    }
}
