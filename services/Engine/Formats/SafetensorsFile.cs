using System.Buffers.Binary;

namespace Slm.Engine.Formats;

/// <summary>
/// A safetensors file, memory-mapped: the header's length in 8 bytes, a JSON header, then the tensors' bytes without gaps.
/// The whole header is checked when the file is opened: afterwards every tensor's bytes are known to lie inside the file
/// and to overlap no other's. Data is little-endian and may begin at any byte.
/// Format: the README of the huggingface/safetensors project.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    /// <summary>Longest header, as in the format's own reader.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    /// <summary>Most tensors of a file; the largest published shards have some thousands.</summary>
    public const int MaxTensors = 1 << 18;

    private const int LengthBytes = 8;

    private readonly MappedFile _file;
    private readonly Dictionary<string, SafetensorsTensor> _byName = new(StringComparer.Ordinal);

    private SafetensorsFile(MappedFile file)
    {
        _file = file;
        var length = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(file.At(0, LengthBytes), LengthBytes));
        if (length > MaxHeaderBytes)
            throw Error($"the header is {length} bytes long; at most {MaxHeaderBytes} are allowed. Is this a safetensors file?");
        if ((long)length > file.Length - LengthBytes)
            throw Error($"the header is {length} bytes long, but only {file.Length - LengthBytes} follow its length. It is truncated or damaged.");
        var start = LengthBytes + (long)length;
        var header = SafetensorsHeader.Read(new ReadOnlySpan<byte>(file.At(LengthBytes, (long)length), (int)length), file.Name, start, file.Length - start);
        Metadata = header.Metadata;
        Tensors = header.Tensors;
        foreach (var tensor in header.Tensors)
            _byName.Add(tensor.Name, tensor);
    }

    /// <summary>The file's path.</summary>
    public string Path => _file.Path;

    /// <summary>Size of the file.</summary>
    public long FileBytes => _file.Length;

    /// <summary>The header's <c>__metadata__</c>; empty if it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>All tensors, in the order of their data.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="ModelFormatException">The file is malformed; the message names the tensor or offset.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path, LengthBytes, "safetensors");
        try
        {
            return new SafetensorsFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGetTensor(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsTensor? tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>First byte of a tensor of this file, aligned to nothing; valid until the file is disposed.</summary>
    public byte* Pointer(SafetensorsTensor tensor)
    {
        if (!_byName.TryGetValue(tensor.Name, out var own) || !ReferenceEquals(own, tensor))
            throw new ArgumentException($"The tensor '{tensor.Name}' belongs to another file.", nameof(tensor));
        return _file.At(tensor.Offset, tensor.ByteLength);
    }

    /// <summary>The bytes of a tensor of less than 2 GiB.</summary>
    public ReadOnlySpan<byte> Bytes(SafetensorsTensor tensor) => new(Pointer(tensor), checked((int)tensor.ByteLength));

    /// <summary>The type of a tensor that must hold floats.</summary>
    /// <exception cref="ModelFormatException">It holds something else, or floats that nothing computes with.</exception>
    public TensorType RequireFloats(SafetensorsTensor tensor) => tensor.FloatType
        ?? throw Error($"the tensor '{tensor.Name}' has elements of type {tensor.ElementType}, which is not supported here. Supported: F32, F16, BF16.");

    /// <summary>An error that begins with the file's name.</summary>
    internal ModelFormatException Error(string what) => new($"{_file.Name}: {what}");

    /// <summary>The whole file as it was when it was opened, for hashing; valid until the file is disposed.</summary>
    internal Stream OpenContent() => _file.OpenContent();

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
