using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Slm.Engine.Formats;

/// <summary>
/// Reads the head of an untrusted GGUF file. Every read is checked against the end of the file first, no count is
/// believed beyond the bytes that are left, and the head as a whole is bounded, so that a hostile file can ask neither
/// for more memory than a small multiple of its size nor, however large it is, for more than a few hundred megabytes.
/// </summary>
internal sealed unsafe class GgufCursor(byte* data, long length, string file)
{
    /// <summary>Most bytes of metadata and tensor descriptions; the largest vocabularies in use need about 20 MiB.</summary>
    public const long MaxHeadBytes = 64L << 20;

    /// <summary>Longest key or tensor name; the format's documentation allows 65535 bytes.</summary>
    public const int MaxNameBytes = 65535;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly long _end = Math.Min(length, MaxHeadBytes);

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes that may still be read.</summary>
    private long Left => _end - Position;

    public ModelFormatException Error(string what) => new($"{file}: {what}");

    // The label of an error is put together only when there is one: a vocabulary has hundreds of thousands of strings.
    public uint UInt32(string what, string? name = null) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what, name));

    public ulong UInt64(string what, string? name = null) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what, name));

    /// <summary>A count of things that take at least <paramref name="minimumBytes"/> each, and at most <paramref name="most"/>.</summary>
    public int Count(string what, string? name, int minimumBytes, int most = int.MaxValue)
    {
        var count = UInt64(what, name);
        if (count > (ulong)(Left / minimumBytes))
            throw Error($"{Label(what, name)} is {count}, but the {Left} bytes left{OfHead} hold at most {Left / minimumBytes}.");
        return count <= (ulong)most ? (int)count : throw Error($"{Label(what, name)} is {count}; at most {most} are supported.");
    }

    /// <summary>A key or tensor name.</summary>
    /// <param name="what">What it names, for errors.</param>
    /// <param name="index">Its place, for errors.</param>
    public string Name(string what, int index)
    {
        var bytes = UInt64(what);
        return bytes is > 0 and <= MaxNameBytes ? Text((int)bytes, what, null)
            : throw Error($"{what} {index} is {bytes} bytes long; it must have between 1 and {MaxNameBytes}.");
    }

    /// <summary>A metadata value of a GGUF value type.</summary>
    public object Value(uint type, string key) => type switch
    {
        0 => Take(1, "value of", key)[0],
        1 => (sbyte)Take(1, "value of", key)[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, "value of", key)),
        3 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, "value of", key)),
        4 => UInt32("value of", key),
        5 => BinaryPrimitives.ReadInt32LittleEndian(Take(4, "value of", key)),
        6 => BinaryPrimitives.ReadSingleLittleEndian(Take(4, "value of", key)),
        7 => Bools(Take(1, "value of", key), key)[0],
        8 => String(key),
        9 => Array(key),
        10 => UInt64("value of", key),
        11 => BinaryPrimitives.ReadInt64LittleEndian(Take(8, "value of", key)),
        12 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8, "value of", key)),
        _ => throw Error($"the value of '{key}' has the type {type}; the format defines 0 to 12."),
    };

    private object Array(string key)
    {
        var type = UInt32("element type of", key);
        return type switch
        {
            0 => Numbers<byte>(key),
            1 => Numbers<sbyte>(key),
            2 => Numbers<ushort>(key),
            3 => Numbers<short>(key),
            4 => Numbers<uint>(key),
            5 => Numbers<int>(key),
            6 => Numbers<float>(key),
            7 => Bools(Take(Count("length of", key, 1), "elements of", key), key),
            8 => Strings(key),
            9 => throw Error($"'{key}' is an array of arrays, which no model needs and this reader refuses."),
            10 => Numbers<ulong>(key),
            11 => Numbers<long>(key),
            12 => Numbers<double>(key),
            _ => throw Error($"the elements of '{key}' have the type {type}; the format defines 0 to 12."),
        };
    }

    private T[] Numbers<T>(string key)
        where T : unmanaged
    {
        var count = Count("length of", key, sizeof(T));
        var bytes = Take(count * sizeof(T), "elements of", key);
        var values = new T[count];
        bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private string[] Strings(string key)
    {
        // Each string takes at least its length of 8 bytes, so the array is no more memory than the head has bytes.
        var strings = new string[Count("length of", key, 8)];
        for (var i = 0; i < strings.Length; i++)
            strings[i] = String(key);
        return strings;
    }

    private bool[] Bools(ReadOnlySpan<byte> bytes, string key)
    {
        var values = new bool[bytes.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = bytes[i] <= 1 ? bytes[i] == 1 : throw Error($"'{key}' has the byte {bytes[i]}; a bool is 0 or 1.");
        return values;
    }

    private string String(string key) => Text(Count("length of a string in", key, 1), "string in", key);

    private string Text(int bytes, string what, string? name)
    {
        try
        {
            return Strict.GetString(Take(bytes, what, name));
        }
        catch (DecoderFallbackException error)
        {
            throw new ModelFormatException($"{file}: {Label(what, name)} at byte {Position - bytes} is not valid UTF-8.", error);
        }
    }

    private ReadOnlySpan<byte> Take(int bytes, string what, string? name)
    {
        if (bytes > Left)
        {
            throw Error(length > MaxHeadBytes
                ? $"{Label(what, name)} needs {bytes} bytes at {Position}, but metadata and tensor descriptions may take at most {MaxHeadBytes}."
                : $"{Label(what, name)} needs {bytes} bytes at {Position}, but the file ends at {length}. It is truncated or damaged.");
        }
        var span = new ReadOnlySpan<byte>(data + Position, bytes);
        Position += bytes;
        return span;
    }

    private string OfHead => length > MaxHeadBytes ? $" of the {MaxHeadBytes} that metadata and tensor descriptions may take" : "";

    private static string Label(string what, string? name) => name is null ? what : $"{what} '{name}'";
}
