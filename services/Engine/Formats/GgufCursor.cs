using System.Buffers.Binary;
using System.Text;

namespace Slm.Engine.Formats;

/// <summary>
/// Reads the head of an untrusted GGUF file. Every read is checked against the end of the file first, and no count is
/// believed beyond the bytes that are left, so that a hostile file cannot ask for more memory than it has bytes.
/// </summary>
internal sealed unsafe class GgufCursor(byte* data, long length, string file)
{
    /// <summary>Longest key or tensor name; the format's documentation allows 65535 bytes.</summary>
    private const int MaxNameBytes = 65535;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes left.</summary>
    public long Left => length - Position;

    public ModelFormatException Error(string what) => new($"{file}: {what}");

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A count of things that take at least <paramref name="minimumBytes"/> each.</summary>
    public long Count(string what, int minimumBytes)
    {
        var count = UInt64(what);
        if (count > (ulong)(Left / minimumBytes))
            throw Error($"{what} is {count}, but the {Left} bytes left hold at most {Left / minimumBytes}.");
        return (long)count;
    }

    public string Name(string what)
    {
        var bytes = UInt64($"length of {what}");
        if (bytes is 0 or > MaxNameBytes)
            throw Error($"{what} has a length of {bytes} bytes; it must be between 1 and {MaxNameBytes}.");
        return Text((long)bytes, what);
    }

    public string String(string what) => Text(Count($"length of {what}", 1), what);

    /// <summary>A metadata value of a GGUF value type.</summary>
    public object Value(uint type, string key) => type switch
    {
        0 => Take(1, key)[0],
        1 => (sbyte)Take(1, key)[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, key)),
        3 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, key)),
        4 => UInt32(key),
        5 => BinaryPrimitives.ReadInt32LittleEndian(Take(4, key)),
        6 => BinaryPrimitives.ReadSingleLittleEndian(Take(4, key)),
        7 => Bool(Take(1, key)[0], key),
        8 => String(key),
        9 => Array(key),
        10 => UInt64(key),
        11 => BinaryPrimitives.ReadInt64LittleEndian(Take(8, key)),
        12 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8, key)),
        _ => throw Error($"the value of '{key}' has the type {type}; the format defines 0 to 12."),
    };

    private object Array(string key)
    {
        var type = UInt32($"element type of '{key}'");
        return type switch
        {
            0 => Elements(key, 1, s => s.ToArray()),
            1 => Numbers(key, 1, s => (sbyte)s[0]),
            2 => Numbers(key, 2, BinaryPrimitives.ReadUInt16LittleEndian),
            3 => Numbers(key, 2, BinaryPrimitives.ReadInt16LittleEndian),
            4 => Numbers(key, 4, BinaryPrimitives.ReadUInt32LittleEndian),
            5 => Numbers(key, 4, BinaryPrimitives.ReadInt32LittleEndian),
            6 => Numbers(key, 4, BinaryPrimitives.ReadSingleLittleEndian),
            7 => Numbers(key, 1, s => Bool(s[0], key)),
            8 => Strings(key),
            9 => throw Error($"'{key}' is an array of arrays, which no model needs and this reader refuses."),
            10 => Numbers(key, 8, BinaryPrimitives.ReadUInt64LittleEndian),
            11 => Numbers(key, 8, BinaryPrimitives.ReadInt64LittleEndian),
            12 => Numbers(key, 8, BinaryPrimitives.ReadDoubleLittleEndian),
            _ => throw Error($"the elements of '{key}' have the type {type}; the format defines 0 to 12."),
        };
    }

    private delegate T Reader<T>(ReadOnlySpan<byte> bytes);

    private T[] Numbers<T>(string key, int size, Reader<T> read) => Elements(key, size, bytes =>
    {
        var values = new T[bytes.Length / size];
        for (var i = 0; i < values.Length; i++)
            values[i] = read(bytes[(i * size)..]);
        return values;
    });

    private T Elements<T>(string key, int size, Reader<T> read)
    {
        var bytes = Count($"length of '{key}'", size) * size;
        if (bytes > int.MaxValue)
            throw Error($"'{key}' has {bytes} bytes; at most {int.MaxValue} are supported.");
        return read(Take((int)bytes, key));
    }

    private string[] Strings(string key)
    {
        // Each string takes at least its length of 8 bytes, so this is no more memory than the file has bytes.
        var count = Count($"length of '{key}'", 8);
        if (count > int.MaxValue / 8)
            throw Error($"'{key}' has {count} strings; at most {int.MaxValue / 8} are supported.");
        var strings = new string[count];
        for (var i = 0; i < strings.Length; i++)
            strings[i] = String(key);
        return strings;
    }

    private bool Bool(byte value, string key) => value <= 1 ? value == 1 : throw Error($"'{key}' has the byte {value}; a bool is 0 or 1.");

    private string Text(long bytes, string what)
    {
        if (bytes > int.MaxValue)
            throw Error($"{what} has {bytes} bytes; at most {int.MaxValue} are supported.");
        try
        {
            return Strict.GetString(Take((int)bytes, what));
        }
        catch (DecoderFallbackException error)
        {
            throw new ModelFormatException($"{file}: {what} at byte {Position - bytes} is not valid UTF-8.", error);
        }
    }

    private ReadOnlySpan<byte> Take(int bytes, string what)
    {
        if (bytes > Left)
            throw Error($"the file ends at byte {length} inside {what}, which needs {bytes} bytes at {Position}. It is truncated or damaged.");
        var span = new ReadOnlySpan<byte>(data + Position, bytes);
        Position += bytes;
        return span;
    }
}
