using System.Text.RegularExpressions;
using Slm.Engine.Execution;
using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>What a quantization is to do.</summary>
public sealed record QuantizationOptions
{
    /// <summary>Types of the tensors.</summary>
    public required QuantizationRecipe Recipe { get; init; }

    /// <summary>Types of tensors whose names a pattern matches, instead of the recipe's; the first match counts.</summary>
    public IReadOnlyList<(Regex Pattern, TensorType Type)> Overrides { get; init; } = [];

    /// <summary>Weights of the errors, or null for equal ones.</summary>
    public ImportanceMatrix? Importances { get; init; }

    /// <summary>File that the importances came from, for the new file's metadata.</summary>
    public string? ImportanceFile { get; init; }

    /// <summary>Quantizes again what is quantized already, which adds up the errors of both.</summary>
    public bool AllowRequantize { get; init; }

    /// <summary>Threads.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>A tensor that was written.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Contiguous dimension first.</param>
/// <param name="From">Type before.</param>
/// <param name="To">Type after.</param>
/// <param name="BytesBefore">Bytes before.</param>
/// <param name="BytesAfter">Bytes after.</param>
/// <param name="RootMeanSquareError">Root of the mean square of new minus old values.</param>
/// <param name="MaxError">Largest difference.</param>
/// <param name="RootMeanSquare">Root of the mean square of the old values, to compare with.</param>
/// <param name="Weighted">Importances weighted the errors.</param>
public sealed record QuantizedTensor(
    string Name, IReadOnlyList<long> Shape, TensorType From, TensorType To, long BytesBefore, long BytesAfter, double RootMeanSquareError, double MaxError, double RootMeanSquare, bool Weighted)
{
    /// <summary>Number of weights.</summary>
    public long Elements => Shape.Aggregate(1L, (product, n) => product * n);
}

/// <summary>Writes a model file again with other tensor types.</summary>
public static unsafe class ModelQuantizer
{
    private const long BandBytes = 16 << 20;

    /// <summary>Quantizes a file into another, which appears when it is complete.</summary>
    /// <param name="source">The model.</param>
    /// <param name="target">Path of the new file; a file there is replaced.</param>
    /// <param name="options">Recipe, overrides, importances, threads.</param>
    /// <param name="progress">Told the weights that are done, of all.</param>
    /// <param name="cancellationToken">Ends the work and leaves nothing behind.</param>
    /// <returns>Every tensor, in the order of the file.</returns>
    /// <exception cref="ModelFormatException">A tensor cannot be read, is not finite, is quantized already, or importances do not fit it.</exception>
    public static IReadOnlyList<QuantizedTensor> Quantize(
        ModelSource source, string target, QuantizationOptions options, IProgress<(long Done, long All)>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        if (source.Metadata.GetValueOrDefault("split.count") is IConvertible parts and not string && parts.ToInt64(null) > 1)
            throw new ModelFormatException($"{Path.GetFileName(source.Path)}: it is one of {parts} parts (split.count). Merge them first.");
        var types = new RecipeTypes(source, options.Recipe, options.Overrides, options.Importances is not null);
        var plan = source.Tensors.Select(tensor => (Tensor: tensor, Type: types.TypeOf(tensor))).ToArray();
        var importances = plan.Select(p => Check(source, p.Tensor, p.Type, options)).ToArray();

        var writer = new GgufWriter();
        AddMetadata(writer, source, options);
        var results = new List<QuantizedTensor>(plan.Length);
        var (done, all) = (0L, source.Tensors.Sum(t => t.Elements));
        for (var i = 0; i < plan.Length; i++)
        {
            var ((tensor, type), importance) = (plan[i], importances[i]);
            writer.AddTensor(tensor.Name, type, tensor.Shape, stream => results.Add(Write(stream, source, tensor, type, importance, options.Threads, rows =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                done += rows * tensor.Columns;
                progress?.Report((done, all));
            })));
        }

        writer.Write(target);
        return results;
    }

    private static float[]? Check(ModelSource source, TensorInfo tensor, TensorType type, QuantizationOptions options)
    {
        if (tensor.Type == type)
            return null;
        ModelFormatException Error(string what) => new($"{Path.GetFileName(source.Path)}: the tensor '{tensor.Name}' {what}");
        if (!RowDequantizer.Supported.Contains(tensor.Type))
            throw Error($"is {tensor.Type}, which cannot be read. Supported: {string.Join(", ", RowDequantizer.Supported)}.");
        if (TensorTypes.BlockElements(tensor.Type) > 1 && !options.AllowRequantize)
            throw Error($"is {tensor.Type}: quantizing it again adds to its errors. Start from the F32, F16 or BF16 file, or allow it (--allow-requantize).");
        if (tensor.Columns > int.MaxValue / sizeof(float))
            throw Error($"has rows of {tensor.Columns} weights; at most {int.MaxValue / sizeof(float)} are supported.");
        return TensorTypes.BlockElements(type) > 1 ? options.Importances?.Of(tensor) : null;
    }

    private static void AddMetadata(GgufWriter writer, ModelSource source, QuantizationOptions options)
    {
        var metadata = new Dictionary<string, object>(source.Metadata, StringComparer.Ordinal)
        {
            ["general.file_type"] = options.Recipe.FileType,
            ["general.quantization_version"] = 2u,
        };
        if (options.Importances is { } importances)
        {
            metadata["quantize.imatrix.file"] = Path.GetFileName(options.ImportanceFile ?? "");
            metadata["quantize.imatrix.dataset"] = string.Join(", ", importances.Datasets);
            metadata["quantize.imatrix.entries_count"] = (uint)importances.Entries.Count;
            metadata["quantize.imatrix.chunks_count"] = (uint)importances.ChunkCount;
        }

        foreach (var (key, value) in source.Metadata)
            writer.Add(key, metadata[key]);
        foreach (var (key, value) in metadata.Where(m => !source.Metadata.ContainsKey(m.Key)))
            writer.Add(key, value);
    }

    /// <summary>Writes a tensor band by band, the rows of a band on all threads.</summary>
    private static QuantizedTensor Write(Stream stream, ModelSource source, TensorInfo tensor, TensorType type, float[]? importance, int threads, Action<long> report)
    {
        var columns = (int)Math.Min(tensor.Columns, int.MaxValue);
        var (sourceRow, targetRow) = (TensorTypes.RowBytes(tensor.Type, tensor.Columns), TensorTypes.RowBytes(type, tensor.Columns));
        var bandRows = (int)Math.Clamp(BandBytes / Math.Max(1, Math.Max(sourceRow, targetRow)), 1, 1 << 16);
        var band = new byte[checked(bandRows * targetRow)];
        using var stored = new NativeBuffer(bandRows * sourceRow);
        var first = stored.Pointer;
        var errors = new RowError[bandRows];
        var total = default(RowError);
        var matrixRows = tensor.Shape.Count > 1 ? tensor.Shape[1] : 1;
        for (var begin = 0L; begin < tensor.Rows; begin += bandRows)
        {
            var rows = (int)Math.Min(bandRows, tensor.Rows - begin);
            source.CopyRows(tensor, begin, rows, first);
            if (type == tensor.Type)
            {
                new ReadOnlySpan<byte>(first, checked((int)(rows * sourceRow))).CopyTo(band);
            }
            else
            {
                var start = begin;
                Parallel.For(0, rows, new ParallelOptions { MaxDegreeOfParallelism = threads }, Buffers.Create, (row, _, buffers) =>
                {
                    var matrix = (start + row) / matrixRows;
                    errors[row] = buffers.Convert(tensor.Type, first + (row * sourceRow), type, band.AsSpan((int)(row * targetRow), (int)targetRow),
                        columns, importance is null ? default : importance.AsSpan((int)(matrix * columns), columns));
                    return buffers;
                }, static _ => { });
                for (var row = 0; row < rows; row++)
                {
                    if (!double.IsFinite(errors[row].Squares))
                        throw new ModelFormatException($"{Path.GetFileName(source.Path)}: row {begin + row} of the tensor '{tensor.Name}' has values that are not finite, or too large for {type}.");
                    total = total.With(errors[row]);
                }
            }

            stream.Write(band.AsSpan(0, checked((int)(rows * targetRow))));
            report(rows);
        }

        return new QuantizedTensor(
            tensor.Name, tensor.Shape, tensor.Type, type, tensor.ByteLength, TensorTypes.RowBytes(type, tensor.Columns) * tensor.Rows,
            Math.Sqrt(total.Squares / tensor.Elements), total.Largest, Math.Sqrt(total.Values / tensor.Elements), importance is not null);
    }

    /// <summary>Sums over a row: of squared errors, of squared values, and the largest error.</summary>
    private readonly record struct RowError(double Squares, double Values, double Largest)
    {
        public RowError With(RowError other) => new(Squares + other.Squares, Values + other.Values, Math.Max(Largest, other.Largest));
    }

    /// <summary>What one thread needs for a row.</summary>
    private sealed class Buffers
    {
        private float[] _before = [];
        private float[] _after = [];

        public static Buffers Create() => new();

        public RowError Convert(TensorType from, byte* source, TensorType to, Span<byte> target, int columns, ReadOnlySpan<float> importance)
        {
            if (_before.Length < columns)
                (_before, _after) = (new float[columns], new float[columns]);
            fixed (float* before = _before, after = _after, weights = importance)
            fixed (byte* stored = target)
            {
                RowDequantizer.Dequantize(from, source, before, columns);
                for (var i = 0; i < columns; i++)
                {
                    if (!float.IsFinite(before[i]))
                        return new RowError(double.NaN, 0, 0);
                }

                RowQuantizer.Quantize(to, before, weights, stored, columns);
                RowDequantizer.Dequantize(to, stored, after, columns);
                var (squares, values, largest) = (0.0, 0.0, 0.0);
                for (var i = 0; i < columns; i++)
                {
                    var difference = Math.Abs((double)after[i] - before[i]);
                    squares += difference * difference;
                    values += (double)before[i] * before[i];
                    largest = Math.Max(largest, difference);
                }

                return new RowError(squares, values, largest);
            }
        }
    }
}
