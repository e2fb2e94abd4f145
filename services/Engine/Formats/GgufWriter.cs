using System.Diagnostics;
using System.Numerics;
using System.Text;

namespace Slm.Engine.Formats;

/// <summary>
/// Writes a GGUF version 3 file: metadata and tensors in the order they were added, tensors aligned to
/// <c>general.alignment</c> where that was added, else to 32 bytes. What is accepted can be read back unchanged.
/// </summary>
public sealed class GgufWriter
{
    private const string AlignmentKey = "general.alignment";

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly List<(string Key, object Value)> _metadata = [];
    private readonly List<(TensorInfo Info, Action<Stream> Data)> _tensors = [];
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private int _alignment = 32;

    /// <summary>Adds a pair; the value is a string, bool, number, or an array of these in one type.</summary>
    /// <exception cref="ArgumentException">The key is there already, or the value has no place in the format.</exception>
    public void Add(string key, object value)
    {
        CheckName(key, nameof(key));
        ArgumentNullException.ThrowIfNull(value);
        CheckValue(key, value);
        if (key == AlignmentKey)
            _alignment = value is uint a and >= 8 and <= 1 << 20 && BitOperations.IsPow2(a) ? (int)a
                : throw new ArgumentException($"{AlignmentKey} is {value} ({value.GetType().Name}); it must be a uint and a power of two between 8 and {1 << 20}.", nameof(value));
        if (!_keys.Add(key))
            throw new ArgumentException($"The metadata key '{key}' was added before.", nameof(key));
        _metadata.Add((key, value));
    }

    /// <summary>Adds a tensor whose data is already in the layout of its type.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Contiguous dimension first.</param>
    /// <param name="data">All bytes; read when the file is written.</param>
    /// <exception cref="ArgumentException">The name is there already, or the bytes do not fit type and shape.</exception>
    public void AddTensor(string name, TensorType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
    {
        var info = Describe(name, type, shape);
        if (data.Length != info.ByteLength)
            throw new ArgumentException($"The tensor '{name}' has {data.Length} bytes; {type} {info.ShapeText} needs {info.ByteLength}.", nameof(data));
        Add(info, stream => stream.Write(data.Span));
    }

    /// <summary>Adds a tensor whose data is produced while the file is written, so that it need not fit into memory.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Element type.</param>
    /// <param name="shape">Contiguous dimension first.</param>
    /// <param name="data">Writes exactly the bytes of the tensor to a stream.</param>
    /// <exception cref="ArgumentException">The name is there already, or the type cannot have the shape.</exception>
    public void AddTensor(string name, TensorType type, IReadOnlyList<long> shape, Action<Stream> data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Add(Describe(name, type, shape), data);
    }

    /// <summary>Writes the file beside its place and moves it there, so that a reader never sees half of it.</summary>
    /// <exception cref="InvalidOperationException">A tensor's data had another length than its type and shape need.</exception>
    public void Write(string path)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                Write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private void Write(FileStream stream)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_metadata.Count);
        foreach (var (key, value) in _metadata)
        {
            WriteString(writer, key);
            WriteValue(writer, key, value);
        }
        var offset = 0L;
        foreach (var (info, _) in _tensors)
        {
            WriteString(writer, info.Name);
            writer.Write((uint)info.Shape.Count);
            foreach (var size in info.Shape)
                writer.Write((ulong)size);
            writer.Write((uint)info.Type);
            writer.Write((ulong)offset);
            offset = AlignUp(offset + info.ByteLength);
        }
        writer.Flush();
        Pad(stream);
        foreach (var (info, data) in _tensors)
        {
            var start = stream.Position;
            data(stream);
            if (stream.Position - start != info.ByteLength)
                throw new InvalidOperationException($"The data of the tensor '{info.Name}' came to {stream.Position - start} bytes; {info.Type} {info.ShapeText} needs {info.ByteLength}.");
            Pad(stream);
        }
    }

    private static TensorInfo Describe(string name, TensorType type, IReadOnlyList<long> shape)
    {
        CheckName(name, nameof(name));
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Count is 0 or > 4 || shape.Any(n => n <= 0) || !TensorTypes.IsKnown(type) || shape[0] % TensorTypes.BlockElements(type) != 0)
            throw new ArgumentException($"The tensor '{name}' has the shape [{string.Join(", ", shape)}], which {type} cannot have.", nameof(shape));
        var bytes = shape.Skip(1).Aggregate((Int128)(shape[0] / TensorTypes.BlockElements(type)) * TensorTypes.BlockBytes(type), (product, n) => product > long.MaxValue ? product : product * n);
        return bytes <= long.MaxValue ? new TensorInfo(name, type, [.. shape], 0, (long)bytes)
            : throw new ArgumentException($"The tensor '{name}' has the shape [{string.Join(", ", shape)}], which is larger than a file can be.", nameof(shape));
    }

    private void Add(TensorInfo info, Action<Stream> data)
    {
        if (!_names.Add(info.Name))
            throw new ArgumentException($"The tensor '{info.Name}' was added before.");
        _tensors.Add((info, data));
    }

    private static void CheckName(string name, string parameter)
    {
        ArgumentException.ThrowIfNullOrEmpty(name, parameter);
        if (ByteCount(name, name) is > GgufCursor.MaxNameBytes and var bytes)
            throw new ArgumentException($"The name '{name[..40]}…' has {bytes} bytes; at most {GgufCursor.MaxNameBytes} are possible.", parameter);
    }

    private static void CheckValue(string key, object value)
    {
        if (value is not Array array)
        {
            _ = TypeOf(value.GetType(), key);
            if (value is string text)
                _ = ByteCount(text, key);
            return;
        }
        _ = TypeOf(array.GetType().GetElementType()!, key);
        if (array.Rank != 1)
            throw new ArgumentException($"The metadata '{key}' is an array of {array.Rank} dimensions; GGUF has only lists.");
        if (array is not string[] strings)
            return;
        for (var i = 0; i < strings.Length; i++)
            _ = ByteCount(strings[i] ?? throw new ArgumentException($"Element {i} of the metadata '{key}' is null."), key);
    }

    private static int ByteCount(string text, string key)
    {
        try
        {
            return Strict.GetByteCount(text);
        }
        catch (EncoderFallbackException error)
        {
            throw new ArgumentException($"A string in the metadata '{key}' is not valid Unicode: it has half of a surrogate pair.", error);
        }
    }

    private static void WriteValue(BinaryWriter writer, string key, object value)
    {
        if (value is not Array array)
        {
            writer.Write(TypeOf(value.GetType(), key));
            WriteScalar(writer, value);
            return;
        }
        writer.Write(9u);
        writer.Write(TypeOf(array.GetType().GetElementType()!, key));
        writer.Write((ulong)array.Length);
        foreach (var element in array)
            WriteScalar(writer, element!);
    }

    private static void WriteScalar(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte v: writer.Write(v); break;
            case sbyte v: writer.Write(v); break;
            case ushort v: writer.Write(v); break;
            case short v: writer.Write(v); break;
            case uint v: writer.Write(v); break;
            case int v: writer.Write(v); break;
            case float v: writer.Write(v); break;
            case bool v: writer.Write(v); break;
            case string v: WriteString(writer, v); break;
            case ulong v: writer.Write(v); break;
            case long v: writer.Write(v); break;
            case double v: writer.Write(v); break;
            default: throw new UnreachableException();
        }
    }

    private static void WriteString(BinaryWriter writer, string value)
    {
        var bytes = Strict.GetBytes(value);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static uint TypeOf(Type type, string key) => (type.IsEnum ? TypeCode.Object : Type.GetTypeCode(type)) switch
    {
        TypeCode.Byte => 0,
        TypeCode.SByte => 1,
        TypeCode.UInt16 => 2,
        TypeCode.Int16 => 3,
        TypeCode.UInt32 => 4,
        TypeCode.Int32 => 5,
        TypeCode.Single => 6,
        TypeCode.Boolean => 7,
        TypeCode.String => 8,
        TypeCode.UInt64 => 10,
        TypeCode.Int64 => 11,
        TypeCode.Double => 12,
        _ => throw new ArgumentException($"The metadata '{key}' is a {type.Name}, which GGUF has no type for."),
    };

    private void Pad(FileStream stream)
    {
        Span<byte> zeros = stackalloc byte[64];
        zeros.Clear();
        for (var left = AlignUp(stream.Position) - stream.Position; left > 0; left -= Math.Min(left, zeros.Length))
            stream.Write(zeros[..(int)Math.Min(left, zeros.Length)]);
    }

    private long AlignUp(long value) => (value + _alignment - 1) & -(long)_alignment;
}
