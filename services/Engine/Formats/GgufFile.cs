using System.Security.Cryptography;
using Slm.Engine.Fetching;

namespace Slm.Engine.Formats;

/// <summary>
/// A GGUF file (versions 2 and 3, little-endian), memory-mapped. The whole head is checked when it is opened: afterwards
/// every tensor's bytes are known to lie inside the file and to overlap no other's.
/// Format: the GGUF specification of the ggml project.
/// </summary>
/// <remarks>
/// The mapping stays valid when the file is replaced or deleted, but not when another process cuts it short in place:
/// write model files with <see cref="GgufWriter"/> or any other writer that renames.
/// Of a sparse copy (<see cref="SparseFile"/>) only what has been fetched can be read; the rest is refused when it is asked for.
/// </remarks>
public sealed unsafe class GgufFile : ModelSource
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const uint SwappedMagic = 0x47475546;
    private const int DefaultAlignment = 32;
    private const int MaxDimensions = 4;
    private const int MaxTensors = 1 << 18;
    private const int MaxEntries = 1 << 16;

    private readonly MappedFile _file;
    private readonly Dictionary<string, TensorInfo> _byName = new(StringComparer.Ordinal);
    private readonly SparseFile? _sparse;
    private readonly long _dataStart;

    private GgufFile(MappedFile file, SparseFile? sparse)
    {
        _file = file;
        _sparse = sparse;
        var readable = sparse?.LeadingBytes ?? file.Length;
        var cursor = new GgufCursor(file.At(0, readable), readable, file.Name);
        var (tensors, entries) = ReadHeader(cursor);
        Metadata = ReadMetadata(cursor, entries);
        Alignment = ReadAlignment(cursor);
        var infos = ReadTensorInfos(cursor, tensors);
        _dataStart = AlignUp(cursor.Position, Alignment);
        CheckRanges(cursor, infos);
        Tensors = infos;
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <summary>The file's name without its extension.</summary>
    public override string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    /// <summary>Version of the format, 2 or 3.</summary>
    public int Version { get; private set; }

    /// <summary>Size of the file.</summary>
    public override long FileBytes => _file.Length;

    /// <summary>Bytes of metadata and tensor descriptions, up to where tensor data begins.</summary>
    public long HeadBytes => _dataStart;

    /// <summary>Alignment of tensor data in bytes, a power of two.</summary>
    public int Alignment { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, object> Metadata { get; }

    /// <summary>All tensors, in the order of the file.</summary>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="ModelFormatException">The file is malformed; the message names the key, tensor or offset.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static new GgufFile Open(string path)
    {
        var sparse = SparseFile.IsSparse(path) ? SparseFile.Open(path) : null;
        MappedFile? file = null;
        try
        {
            file = MappedFile.Open(path, 24, "GGUF", grows: sparse is not null);
            return new GgufFile(file, sparse);
        }
        catch
        {
            file?.Dispose();
            sparse?.Dispose();
            throw;
        }
    }

    /// <summary>True if a file begins as GGUF files do.</summary>
    internal static bool HasMagic(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Span<byte> start = stackalloc byte[sizeof(uint)];
        return RandomAccess.Read(file, start, 0) == start.Length && System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(start) == Magic;
    }

    /// <inheritdoc/>
    public override bool TryGetTensor(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TensorInfo? tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>First byte of a tensor of this file; valid until the file is disposed.</summary>
    /// <exception cref="ModelFormatException">This is a sparse copy that does not have all of the tensor.</exception>
    public override byte* Pointer(TensorInfo tensor) => At(tensor, 0, tensor.ByteLength);

    /// <inheritdoc/>
    internal override byte* Matrix(TensorInfo tensor, int index)
    {
        var bytes = MatrixBytes(tensor);
        return At(tensor, index * bytes, bytes);
    }

    /// <summary>Where a tensor of this file begins, in bytes from the start of the file.</summary>
    public long Position(TensorInfo tensor) => _byName.TryGetValue(tensor.Name, out var own) && ReferenceEquals(own, tensor)
        ? _dataStart + tensor.Offset : throw new ArgumentException($"The tensor '{tensor.Name}' belongs to another file.", nameof(tensor));

    /// <summary>Bytes of the file as it was when it was opened; valid until the file is disposed.</summary>
    internal byte* At(long position, long count) => _file.At(position, count);

    /// <summary>The whole file as it was when it was opened, for hashing; valid until the file is disposed.</summary>
    internal Stream OpenContent() => _file.OpenContent();

    /// <inheritdoc/>
    internal override string ComputeSha256()
    {
        // A sparse copy has no other content than the file it is of, but cannot be hashed.
        if (_sparse is not null)
            return _sparse.Sha256;
        using var stream = OpenContent();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        _sparse?.Dispose();
    }

    private byte* At(TensorInfo tensor, long offset, long count)
    {
        var position = Position(tensor) + offset;
        if (_sparse is not null && !_sparse.Has(position, count))
        {
            throw new ModelFormatException(
                $"{_file.Name}: bytes {position} to {position + count} of the tensor '{tensor.Name}' are not in this sparse copy, which has {_sparse.Present} of {_sparse.Count} chunks. Fetch what the stage needs before it is loaded.");
        }

        return _file.At(position, count);
    }

    private (int Tensors, int Entries) ReadHeader(GgufCursor cursor)
    {
        var magic = cursor.UInt32("the magic number");
        if (magic != Magic)
            throw cursor.Error(magic == SwappedMagic ? "this is a big-endian GGUF file; only little-endian ones can be read."
                : $"this is not a GGUF file: it starts with 0x{magic:x8} instead of \"GGUF\".");
        var version = cursor.UInt32("the version");
        if (version is not (2 or 3))
            throw cursor.Error((version & 0xFFFF) == 0 && version != 0 ? "this is a big-endian GGUF file; only little-endian ones can be read."
                : $"the GGUF version is {version}; 2 and 3 are supported.");
        Version = (int)version;
        // The smallest tensor entry: name 8 + 1, dimensions 4 + 8, type 4, offset 8. The smallest pair: key 8 + 1, type 4, value 1.
        return (cursor.Count("the number of tensors", null, 33, MaxTensors), cursor.Count("the number of metadata entries", null, 14, MaxEntries));
    }

    private static Dictionary<string, object> ReadMetadata(GgufCursor cursor, int entries)
    {
        var metadata = new Dictionary<string, object>(StringComparer.Ordinal);
        for (var i = 0; i < entries; i++)
        {
            var key = cursor.Name("metadata key", i);
            if (!metadata.TryAdd(key, cursor.Value(cursor.UInt32("type of", key), key)))
                throw cursor.Error($"the metadata key '{key}' occurs twice.");
        }
        return metadata;
    }

    private int ReadAlignment(GgufCursor cursor)
    {
        if (!Metadata.TryGetValue("general.alignment", out var value))
            return DefaultAlignment;
        if (value is not uint alignment || alignment is < 8 or > 1 << 20 || !System.Numerics.BitOperations.IsPow2(alignment))
            throw cursor.Error($"general.alignment is {value}; it must be a 32-bit power of two between 8 and {1 << 20}.");
        return (int)alignment;
    }

    private List<TensorInfo> ReadTensorInfos(GgufCursor cursor, int count)
    {
        var tensors = new List<TensorInfo>();
        for (var i = 0; i < count; i++)
        {
            var name = cursor.Name("the name of tensor", i);
            var tensor = ReadTensorInfo(cursor, name);
            if (!_byName.TryAdd(name, tensor))
                throw cursor.Error($"the tensor '{name}' occurs twice.");
            tensors.Add(tensor);
        }
        return tensors;
    }

    private TensorInfo ReadTensorInfo(GgufCursor cursor, string name)
    {
        var dimensions = cursor.UInt32("the number of dimensions of", name);
        if (dimensions is 0 or > MaxDimensions)
            throw cursor.Error($"the tensor '{name}' has {dimensions} dimensions; it must have 1 to {MaxDimensions}.");
        var shape = new long[dimensions];
        var elements = 1UL;
        for (var d = 0; d < shape.Length; d++)
        {
            var size = cursor.UInt64("a dimension of", name);
            if (size == 0)
                throw cursor.Error($"dimension {d} of the tensor '{name}' is 0; it must be at least 1.");
            // No element is smaller than 1/8 byte in any type, so this bounds the product well below an overflow.
            if (size > (ulong)FileBytes * 8 || elements > (ulong)FileBytes * 8 / size)
                throw cursor.Error($"dimension {d} of the tensor '{name}' is {size}, which makes it larger than the file of {FileBytes} bytes.");
            elements *= size;
            shape[d] = (long)size;
        }

        var number = cursor.UInt32("the type of", name);
        var type = (TensorType)number;
        if (number > int.MaxValue || !TensorTypes.IsKnown(type))
            throw cursor.Error($"the tensor '{name}' has the type {number}, which {(TensorTypes.IsRemoved(number) ? "the format no longer has: convert the model again" : "this reader does not know")}.");
        if (shape[0] % TensorTypes.BlockElements(type) != 0)
            throw cursor.Error($"the tensor '{name}' has rows of {shape[0]} elements; {type} needs a multiple of {TensorTypes.BlockElements(type)}.");
        var bytes = (long)elements / TensorTypes.BlockElements(type) * TensorTypes.BlockBytes(type);
        var offset = cursor.UInt64("the offset of", name);
        if (offset > (ulong)FileBytes || bytes > FileBytes)
            throw cursor.Error($"the tensor '{name}' ({bytes} bytes at offset {offset}) lies outside the file of {FileBytes} bytes.");
        if (offset % (ulong)Alignment != 0)
            throw cursor.Error($"the tensor '{name}' has the offset {offset}, which is no multiple of the alignment {Alignment}.");
        return new TensorInfo(name, type, shape, (long)offset, bytes);
    }

    private void CheckRanges(GgufCursor cursor, List<TensorInfo> tensors)
    {
        var end = 0L;
        TensorInfo? before = null;
        foreach (var tensor in tensors.OrderBy(t => t.Offset))
        {
            if (_dataStart + tensor.Offset + tensor.ByteLength > FileBytes)
                throw cursor.Error($"the tensor '{tensor.Name}' needs bytes {_dataStart + tensor.Offset} to {_dataStart + tensor.Offset + tensor.ByteLength}, but the file ends at {FileBytes}. It is truncated or damaged.");
            if (tensor.Offset < end)
                throw cursor.Error($"the tensor '{tensor.Name}' at offset {tensor.Offset} overlaps '{before!.Name}', which ends at {end}.");
            end = tensor.Offset + tensor.ByteLength;
            before = tensor;
        }
    }

    private static long AlignUp(long value, int alignment) => (value + alignment - 1) & -alignment;
}
