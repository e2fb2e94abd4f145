using System.Globalization;
using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Fetching;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Quantization;

namespace Slm.Engine.Architectures;

/// <summary>Hands an architecture the tensors it names, each checked for shape and type; matrices stay in the mapped file.</summary>
/// <param name="file">The model.</param>
/// <param name="kernels">Kernels of the products.</param>
/// <param name="expertCache">Where experts go that are read when they are visited; null if all stay in memory.</param>
/// <param name="reads">
/// If not null, nothing is read: it is noted what would be, and what is handed out has the right shapes but must not be computed with.
/// </param>
internal sealed unsafe class ModelWeights(ModelFile file, KernelSet kernels, ExpertCache? expertCache = null, WeightReads? reads = null)
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly List<Linear> _matrices = [];

    /// <summary>Hyper-parameters.</summary>
    public ModelConfig Config => file.Config;

    /// <summary>Bytes of all tensors taken so far; one that is taken twice counts once.</summary>
    public long Bytes { get; private set; }

    /// <summary>Matrices that products will use.</summary>
    public IReadOnlyList<Linear> Matrices => _matrices;

    /// <summary>Where experts go that are read when they are visited; null if all stay in memory.</summary>
    public ExpertCache? ExpertCache => expertCache;

    /// <summary>Experts that are taken of each layer; all unless other processes hold some.</summary>
    public ExpertSlice HeldExperts { get => field ?? ExpertSlice.All(Config.Experts!.Count); init; }

    /// <summary>See <see cref="ExpertsBlock.Rounded"/>.</summary>
    public bool RoundedExperts { get; init; }

    /// <summary>The way to the other experts; null if there are none.</summary>
    public ExpertFanOut? FanOut { get; init; }

    /// <summary>True if the file has the tensor.</summary>
    public bool Has(string name) => file.Source.TryGetTensor(name, out _);

    /// <summary>Matrix <c>name.weight</c> [rows, columns] with <c>name.bias</c> if that exists.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear Linear(string name, int columns, int rows)
    {
        var matrix = Table(name, columns, rows);
        // As a product the embedding is the head, which adapters change apart.
        if (name == "token_embd")
            matrix.AdapterName = "output.weight";
        _matrices.Add(matrix);
        return matrix;
    }

    /// <summary>Some rows of matrix <c>name.weight</c> [rows, columns] and its bias: one of several matrices that a file holds as one.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear Rows(string name, int columns, int rows, int first, int count)
    {
        var tensor = Find(name + ".weight", columns, rows);
        PinnedArray? bias = null;
        if (OptionalVector(name + ".bias", rows) is { } whole)
        {
            bias = new PinnedArray(count);
            whole.Memory.Slice(first, count).CopyTo(bias.Memory);
        }

        return Slice(Data(tensor) + (first * TensorTypes.RowBytes(tensor.Type, columns)), tensor, columns, count, bias, index: 0, matrices: 1, first);
    }

    /// <summary>
    /// The matrices [rows, columns] of the <see cref="HeldExperts"/> in tensor <c>{blk}ffn_{part}_exps.weight</c> [experts, rows,
    /// columns], or, in files from before that, in a tensor for each, <c>{blk}ffn_{part}.{expert}.weight</c>.
    /// </summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear[] Experts(string blk, string part, int columns, int rows)
    {
        var name = $"{blk}ffn_{part}_exps.weight";
        var count = Config.Experts!.Count;
        if (!Has(name) && Has($"{blk}ffn_{part}.0.weight"))
            return [.. HeldExperts.Experts.Select(expert => OwnExpert(blk, part, columns, rows, expert))];
        var tensor = file.Require(name, RowDequantizer.Supported, columns, rows, count);
        if (_taken.Add(name))
            Bytes += tensor.ByteLength / count * HeldExperts.Count;
        return [.. HeldExperts.Experts.Select(expert => Slice(reads is null ? file.Source.Matrix(tensor, expert) : reads.AddMatrix(tensor, expert), tensor, columns, rows, bias: null, expert, count))];
    }

    /// <summary>The same for an <see cref="ExpertCache"/>: they stay in the file.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public StoredMatrices StoredExperts(string name, int columns, int rows, int experts)
    {
        var tensor = Find(name + ".weight", columns, rows, experts);
        var start = Data(tensor);
        var bytes = TensorTypes.RowBytes(tensor.Type, columns) * rows;
        return new StoredMatrices(
            [.. Enumerable.Range(0, experts).Select(expert =>
                new Linear(start + (expert * bytes), tensor.Type, rows, columns, bias: null, kernels) { Name = tensor.Name, Index = expert, Matrices = experts })],
            ((GgufFile)file.Source).Position(tensor));
    }

    /// <summary>The same of which only single rows are read: an embedding.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear Table(string name, int columns, int rows)
    {
        var tensor = Find(name + ".weight", columns, rows);
        return new Linear(Data(tensor), tensor.Type, rows, columns, OptionalVector(name + ".bias", rows), kernels) { Name = tensor.Name };
    }

    /// <summary>Vector <paramref name="name"/> of <paramref name="count"/> elements, as F32.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public PinnedArray Vector(string name, int count) => Shaped(name, count, 1);

    /// <summary>The elements of a tensor of small numbers with exactly this shape, the contiguous dimension first, as F32.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public PinnedArray Shaped(string name, params ReadOnlySpan<long> shape)
    {
        var tensor = Find(name, shape);
        var count = 1;
        foreach (var size in shape)
            count = checked(count * (int)size);
        var vector = new PinnedArray(count);
        Read(tensor, vector, count);
        return vector;
    }

    /// <summary>The same, or null if the file lacks it.</summary>
    public PinnedArray? OptionalVector(string name, int count) => Has(name) ? Vector(name, count) : null;

    /// <summary>Some rows of matrix <c>name.weight</c> [rows, columns], transposed: a matrix of its own [columns, count].</summary>
    /// <remarks>Floats keep their type; quantized weights become halves, whose rounding is far below theirs.</remarks>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear Transposed(string name, int columns, int rows, int first, int count)
    {
        var matrix = Copied(name, columns, rows, first, count, transpose: true);
        _matrices.Add(matrix);
        return matrix;
    }

    /// <summary>Some rows of matrix <c>name.weight</c> [rows, columns] as a matrix that reads float activations.</summary>
    /// <remarks>Floats are used where they lie; quantized weights become halves, whose rounding is far below theirs.</remarks>
    /// <exception cref="ModelFormatException">It is missing, or has another shape or a type without kernel.</exception>
    public Linear Floats(string name, int columns, int rows, int first, int count)
    {
        var tensor = Find(name + ".weight", columns, rows);
        var matrix = tensor.Type is TensorType.F32 or TensorType.F16 or TensorType.BF16
            ? new Linear(Data(tensor) + (first * TensorTypes.RowBytes(tensor.Type, columns)), tensor.Type, count, columns, bias: null, kernels) { AdapterName = tensor.Name, FirstRow = first }
            : Copied(name, columns, rows, first, count, transpose: false);
        _matrices.Add(matrix);
        return matrix;
    }

    /// <summary>RMSNorm with the weights <paramref name="name"/>.</summary>
    public Norm Norm(string name, int size) => new(Vector(name, size), Config.NormEpsilon);

    /// <summary>LayerNorm with <c>name.weight</c> and, if that exists, <c>name.bias</c>.</summary>
    public Norm LayerNorm(string name, int size) =>
        new(Vector(name + ".weight", size), Config.NormEpsilon) { Centred = true, Bias = OptionalVector(name + ".bias", size) };

    /// <summary>The first row of a matrix of any number of rows, as F32.</summary>
    /// <exception cref="ModelFormatException">It is missing, or has other columns or a type without kernel.</exception>
    public PinnedArray FirstRow(string name, int columns)
    {
        var rows = file.Source.TryGetTensor(name, out var stored) && stored.Shape.Count > 1 ? stored.Shape[1] : 1;
        var tensor = Find(name, columns, rows);
        var row = new PinnedArray(columns);
        Read(tensor, row, columns);
        return row;
    }

    /// <summary>The same as <see cref="Norm"/>, or null if the file lacks it.</summary>
    public Norm? OptionalNorm(string name, int size) => Has(name) ? Norm(name, size) : null;

    private Linear Copied(string name, int columns, int rows, int first, int count, bool transpose)
    {
        var tensor = Find(name + ".weight", columns, rows);
        var type = tensor.Type is TensorType.F32 or TensorType.BF16 ? TensorType.F32 : TensorType.F16;
        var stored = Data(tensor);
        if (reads is not null)
            return new Linear(stored, type, transpose ? columns : count, transpose ? count : columns, bias: null, kernels);
        var target = new NativeBuffer((long)columns * count * TensorTypes.RowBytes(type, 1));
        var row = new float[columns];
        fixed (float* values = row)
        {
            for (var r = 0; r < count; r++)
            {
                RowDequantizer.Dequantize(tensor.Type, stored + ((first + r) * TensorTypes.RowBytes(tensor.Type, columns)), values, columns);
                for (var c = 0; c < columns; c++)
                {
                    var at = transpose ? ((nint)c * count) + r : ((nint)r * columns) + c;
                    if (type == TensorType.F32)
                        ((float*)target.Pointer)[at] = values[c];
                    else
                        ((Half*)target.Pointer)[at] = (Half)values[c];
                }
            }
        }

        return transpose
            ? new Linear(target.Pointer, type, columns, count, bias: null, kernels) { Owner = target, AdapterName = tensor.Name, FirstRow = first, IsTransposed = true }
            : new Linear(target.Pointer, type, count, columns, bias: null, kernels) { Owner = target, AdapterName = tensor.Name, FirstRow = first };
    }

    /// <summary>An expert whose matrix is a tensor of its own.</summary>
    private Linear OwnExpert(string blk, string part, int columns, int rows, int expert)
    {
        reads?.Expert = expert;
        var matrix = Linear(string.Create(CultureInfo.InvariantCulture, $"{blk}ffn_{part}.{expert}"), columns, rows);
        reads?.Expert = null;
        return matrix;
    }

    private byte* Data(TensorInfo tensor) => reads is null ? file.Source.Pointer(tensor) : reads.Add(tensor);

    private void Read(TensorInfo tensor, PinnedArray target, int count)
    {
        var stored = Data(tensor);
        if (reads is null)
            RowDequantizer.Dequantize(tensor.Type, stored, target.Pointer, count);
        else
            target.Memory.Span.Fill(1);
    }

    private Linear Slice(byte* start, TensorInfo tensor, int columns, int count, PinnedArray? bias, int index, int matrices, int first = 0)
    {
        var matrix = new Linear(start, tensor.Type, count, columns, bias, kernels) { Name = tensor.Name, Index = index, Matrices = matrices, FirstRow = first };
        _matrices.Add(matrix);
        return matrix;
    }

    private TensorInfo Find(string name, params ReadOnlySpan<long> shape)
    {
        var tensor = file.Require(name, RowDequantizer.Supported, shape);
        if (_taken.Add(name))
            Bytes += tensor.ByteLength;
        return tensor;
    }
}
