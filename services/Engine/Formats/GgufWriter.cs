using System.Text;

namespace Slm.Engine.Formats;

/// <summary>Writes a GGUF version 3 file: metadata and tensors in the order they were added.</summary>
public sealed class GgufWriter
{
    private const int Alignment = 32;

    private readonly List<(string Key, object Value)> _metadata = [];
    private readonly List<(TensorInfo Info, ReadOnlyMemory<byte> Data)> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private long _offset;

    /// <summary>Adds a pair; the value is a string, bool, number, or an array of these in one type.</summary>
    /// <exception cref="ArgumentException">The key is there already, or the value's type has no place in the format.</exception>
    public void Add(string key, object value)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(value);
        _ = TypeOf(value is Array array ? array.GetType().GetElementType()! : value.GetType(), key);
        if (_metadata.Any(pair => pair.Key == key))
            throw new ArgumentException($"The metadata key '{key}' was added before.", nameof(key));
        _metadata.Add((key, value));
    }

    /// <summary>Adds a tensor whose data is already in the layout of its type.</summary>
    /// <param name="shape">Contiguous dimension first.</param>
    /// <exception cref="ArgumentException">The name is there already, or the bytes do not fit type and shape.</exception>
    public void AddTensor(string name, TensorType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Count is 0 or > 4 || shape.Any(n => n <= 0) || !TensorTypes.IsKnown(type) || shape[0] % TensorTypes.BlockElements(type) != 0)
            throw new ArgumentException($"The tensor '{name}' has the shape [{string.Join(", ", shape)}], which {type} cannot have.", nameof(shape));
        var expected = shape.Skip(1).Aggregate(TensorTypes.RowBytes(type, shape[0]), (product, n) => checked(product * n));
        if (data.Length != expected)
            throw new ArgumentException($"The tensor '{name}' has {data.Length} bytes; {type} [{string.Join(", ", shape)}] needs {expected}.", nameof(data));
        if (!_names.Add(name))
            throw new ArgumentException($"The tensor '{name}' was added before.", nameof(name));
        _tensors.Add((new TensorInfo(name, type, [.. shape], _offset, expected), data));
        _offset = AlignUp(_offset + expected);
    }

    /// <summary>Writes the file beside its place and moves it there, so that a reader never sees half of it.</summary>
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
        foreach (var (info, _) in _tensors)
        {
            WriteString(writer, info.Name);
            writer.Write((uint)info.Shape.Count);
            foreach (var size in info.Shape)
                writer.Write((ulong)size);
            writer.Write((uint)info.Type);
            writer.Write((ulong)info.Offset);
        }
        writer.Flush();
        Pad(stream);
        foreach (var (_, data) in _tensors)
        {
            stream.Write(data.Span);
            Pad(stream);
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
        }
    }

    private static void WriteString(BinaryWriter writer, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static uint TypeOf(Type type, string key) => Type.GetTypeCode(type) switch
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

    private static void Pad(FileStream stream)
    {
        Span<byte> zeros = stackalloc byte[Alignment];
        zeros.Clear();
        stream.Write(zeros[..(int)(AlignUp(stream.Position) - stream.Position)]);
    }

    private static long AlignUp(long value) => (value + Alignment - 1) & -Alignment;
}
