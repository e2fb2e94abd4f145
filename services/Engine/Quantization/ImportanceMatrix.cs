using System.Buffers.Binary;
using System.Text;
using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>
/// Mean squares of what reaches each column of each matrix while a text is read: the weights of a quantization's errors.
/// Files are those of llama.cpp's imatrix tool: GGUF (written and read) and the older .dat (read).
/// </summary>
public sealed class ImportanceMatrix
{
    private const string SumSuffix = ".in_sum2";
    private const string CountSuffix = ".counts";
    private const int MaxEntries = 1 << 18;
    private const int MaxNameBytes = 1 << 12;

    private readonly Dictionary<string, ImportanceEntry> _entries;

    internal ImportanceMatrix(Dictionary<string, ImportanceEntry> entries) => _entries = entries;

    /// <summary>Entries by tensor name.</summary>
    public IReadOnlyDictionary<string, ImportanceEntry> Entries => _entries;

    /// <summary>Texts it was computed from.</summary>
    public IReadOnlyList<string> Datasets { get; init; } = [];

    /// <summary>Chunks of text that were read.</summary>
    public int ChunkCount { get; init; }

    /// <summary>Tokens of a chunk.</summary>
    public int ChunkTokens { get; init; }

    /// <summary>Reads a file of either form.</summary>
    /// <exception cref="ModelFormatException">It is malformed; the message names the entry, the value and what is expected.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ImportanceMatrix Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        Span<byte> magic = stackalloc byte[4];
        if (stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.SequenceEqual("GGUF"u8))
            return ReadGguf(path);
        stream.Position = 0;
        return ReadLegacy(stream, Path.GetFileName(path));
    }

    /// <summary>Writes the GGUF form.</summary>
    public void Write(string path)
    {
        var writer = new GgufWriter();
        writer.Add("general.type", "imatrix");
        writer.Add("imatrix.datasets", Datasets.ToArray());
        writer.Add("imatrix.chunk_count", (uint)ChunkCount);
        writer.Add("imatrix.chunk_size", (uint)ChunkTokens);
        foreach (var (name, entry) in _entries.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            var columns = entry.MeanSquares.Length / entry.Counts.Length;
            var sums = new float[entry.MeanSquares.Length];
            for (var i = 0; i < sums.Length; i++)
                sums[i] = entry.MeanSquares[i] * entry.Counts[i / columns];
            writer.AddTensor(name + SumSuffix, TensorType.F32, [columns, entry.Counts.Length], Bytes(sums));
            writer.AddTensor(name + CountSuffix, TensorType.F32, [1, entry.Counts.Length], Bytes(entry.Counts));
        }

        writer.Write(path);
    }

    /// <summary>The importances of a tensor [columns · matrices], or null if there are none.</summary>
    /// <exception cref="ModelFormatException">The entry has another size than the tensor needs.</exception>
    internal float[]? Of(TensorInfo tensor)
    {
        if (!_entries.TryGetValue(tensor.Name, out var entry))
            return null;
        var matrices = tensor.Shape.Skip(2).Aggregate(1L, (product, n) => product * n);
        return entry.MeanSquares.Length == tensor.Columns * matrices ? entry.MeanSquares
            : throw new ModelFormatException($"The importance matrix has {entry.MeanSquares.Length} values for the tensor '{tensor.Name}' {tensor.ShapeText}; it needs {tensor.Columns * matrices}. It belongs to another model.");
    }

    private static ReadOnlyMemory<byte> Bytes(float[] values) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static ImportanceMatrix ReadGguf(string path)
    {
        using var file = GgufFile.Open(path);
        ModelFormatException Error(string what) => new($"{Path.GetFileName(path)}: {what}");
        if (file.Metadata.GetValueOrDefault("general.type") is not "imatrix")
            throw Error($"general.type is '{file.Metadata.GetValueOrDefault("general.type") ?? "missing"}'; an importance matrix has 'imatrix'.");
        var entries = new Dictionary<string, ImportanceEntry>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors.Where(t => t.Name.EndsWith(SumSuffix, StringComparison.Ordinal)))
        {
            var name = tensor.Name[..^SumSuffix.Length];
            if (!file.TryGetTensor(name + CountSuffix, out var counted))
                throw Error($"the tensor '{name}{CountSuffix}' is missing.");
            if (tensor.Type != TensorType.F32 || counted.Type != TensorType.F32)
                throw Error($"'{tensor.Name}' is {tensor.Type} and '{counted.Name}' {counted.Type}; both must be F32.");
            if (counted.Elements != tensor.Rows)
                throw Error($"'{counted.Name}' has {counted.Elements} values; '{tensor.Name}' {tensor.ShapeText} needs {tensor.Rows}.");
            var sums = Floats(file, tensor);
            var counts = Floats(file, counted);
            for (var i = 0; i < sums.Length; i++)
            {
                var count = counts[i / (int)tensor.Columns];
                // A matrix that no token has reached says nothing about its columns: all count alike.
                sums[i] = count > 0 ? sums[i] / count : 1;
            }

            entries.Add(name, Checked(sums, counts, tensor.Name, Error));
        }

        return new ImportanceMatrix(entries)
        {
            Datasets = file.Metadata.GetValueOrDefault("imatrix.datasets") as string[] ?? [],
            ChunkCount = file.Metadata.GetValueOrDefault("imatrix.chunk_count") is uint chunks and <= int.MaxValue ? (int)chunks : 0,
            ChunkTokens = file.Metadata.GetValueOrDefault("imatrix.chunk_size") is uint size and <= int.MaxValue ? (int)size : 0,
        };
    }

    /// <summary>int32 count; per entry: int32 length, name, int32 chunks, int32 values, F32 values times chunks; then int32 chunks, int32 length, data set.</summary>
    private static ImportanceMatrix ReadLegacy(FileStream stream, string file)
    {
        ModelFormatException Error(string what) => new($"{file}: {what}");
        int Integer(string what, int least, long most)
        {
            Span<byte> bytes = stackalloc byte[4];
            if (stream.ReadAtLeast(bytes, 4, throwOnEndOfStream: false) < 4)
                throw Error($"it ends at byte {stream.Position} before {what}. It is no importance matrix, or it is cut short.");
            var value = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            return value >= least && value <= most ? value : throw Error($"{what} is {value}; it must be in {least} to {most}. It is no importance matrix, or it is damaged.");
        }

        string Text(int bytes)
        {
            var buffer = new byte[bytes];
            stream.ReadExactly(buffer);
            return Encoding.UTF8.GetString(buffer);
        }

        long Left() => stream.Length - stream.Position;
        var entries = new Dictionary<string, ImportanceEntry>(StringComparer.Ordinal);
        var count = Integer("the number of entries", 1, MaxEntries);
        for (var i = 0; i < count; i++)
        {
            var name = Text(Integer($"the name's length of entry {i}", 1, Math.Min(MaxNameBytes, Left() - 4)));
            var chunks = Integer($"the number of chunks of '{name}'", 0, int.MaxValue);
            var values = new float[Integer($"the number of values of '{name}'", 1, (Left() - 4) / sizeof(float))];
            stream.ReadExactly(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
            for (var v = 0; chunks > 0 && v < values.Length; v++)
                values[v] /= chunks;
            if (!entries.TryAdd(name, Checked(values, [chunks], name, Error)))
                throw Error($"the entry '{name}' occurs twice.");
        }

        if (Left() < 8)
            return new ImportanceMatrix(entries);
        var total = Integer("the number of chunks", 0, int.MaxValue);
        return new ImportanceMatrix(entries) { ChunkCount = total, Datasets = [Text(Integer("the length of the data set's name", 0, Math.Min(MaxNameBytes, Left() - 4)))] };
    }

    private static ImportanceEntry Checked(float[] meanSquares, float[] counts, string name, Func<string, ModelFormatException> error)
    {
        for (var i = 0; i < meanSquares.Length; i++)
        {
            if (!float.IsFinite(meanSquares[i]) || meanSquares[i] < 0)
                throw error($"value {i} of '{name}' is {meanSquares[i]}; a mean square is finite and not negative.");
        }

        return new ImportanceEntry(meanSquares, counts);
    }

    private static unsafe float[] Floats(GgufFile file, TensorInfo tensor)
    {
        if (tensor.Elements > Array.MaxLength)
            throw new ModelFormatException($"{Path.GetFileName(file.Path)}: '{tensor.Name}' has {tensor.Elements} values; at most {Array.MaxLength} are supported.");
        return new ReadOnlySpan<float>(file.Pointer(tensor), (int)tensor.Elements).ToArray();
    }
}

/// <summary>The importances of one tensor.</summary>
/// <param name="MeanSquares">[matrices · columns] mean squares of the inputs.</param>
/// <param name="Counts">[matrices] rows of inputs that were seen.</param>
public sealed record ImportanceEntry(float[] MeanSquares, float[] Counts);
