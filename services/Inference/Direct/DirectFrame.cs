using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Orleans.Serialization;

namespace Slm.Inference.Direct;

/// <summary>What a frame is.</summary>
internal enum DirectKind : byte
{
    /// <summary>The first one each way: its number is the version, its key the silo that is meant.</summary>
    Hello = 1,

    /// <summary>A <see cref="Contracts.Grains.StagePass"/> for a stage; nobody answers it.</summary>
    Pass = 2,

    /// <summary>An <see cref="Contracts.Grains.ExpertRequest"/> for a group of experts.</summary>
    Call = 3,

    /// <summary>The <see cref="Contracts.Grains.ExpertResult"/> of the call with that number.</summary>
    Answer = 4,

    /// <summary>Why there is none: a google.rpc.Status in protobuf's encoding.</summary>
    Failure = 5,

    /// <summary>Comes back as it is, so that the way can be measured.</summary>
    Echo = 6,
}

/// <summary>
/// A frame of a direct connection: length of what follows (4 bytes, little-endian as all numbers), kind (1), number (8), bytes of
/// the key (2), the key in UTF-8, and the body as Orleans writes it, which versions of the contracts may differ in. Valid until the
/// next one is read.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">Of a call.</param>
/// <param name="Key">Key of the grain that it is for.</param>
/// <param name="Body">What it carries.</param>
internal readonly record struct DirectFrame(DirectKind Kind, long Number, string Key, ReadOnlyMemory<byte> Body)
{
    /// <summary>Version of the format.</summary>
    public const long Version = 1;

    /// <summary>Most bytes behind the length.</summary>
    public const int MostBytes = 1 << 20;

    /// <summary>Bytes of activations that go in a frame: what is larger would hold up whoever sends it, and does not care for microseconds.</summary>
    public const int MostPayload = 1 << 18;

    internal const int LengthBytes = 4;
    internal const int HeaderBytes = 1 + 8 + 2;

    /// <summary>What the body is.</summary>
    /// <exception cref="InvalidDataException">It has none.</exception>
    public T Read<T>(Serializer serializer)
        where T : class => serializer.Deserialize<T>(Body) ?? throw new InvalidDataException($"A frame of kind {Kind} has no body.");
}

/// <summary>Writes frames to a connection; used by one thread at a time.</summary>
internal sealed class DirectWriter(Stream stream, Serializer serializer)
{
    private readonly ArrayBufferWriter<byte> _buffer = new(1 << 14);

    /// <summary>Sends a frame whose body is bytes, or nothing.</summary>
    /// <exception cref="IOException">The connection is broken, or nobody takes anything.</exception>
    public void WriteBytes(DirectKind kind, long number, string key, ReadOnlySpan<byte> body = default)
    {
        Begin(kind, number, key);
        _buffer.Write(body);
        Send();
    }

    /// <summary>Sends a frame whose body Orleans writes.</summary>
    /// <exception cref="IOException">The connection is broken, or nobody takes anything.</exception>
    public void Write<T>(DirectKind kind, long number, string key, T body)
    {
        Begin(kind, number, key);
        serializer.Serialize(body, _buffer);
        Send();
    }

    private void Begin(DirectKind kind, long number, string key)
    {
        _buffer.ResetWrittenCount();
        var bytes = Encoding.UTF8.GetByteCount(key);
        var span = _buffer.GetSpan(DirectFrame.LengthBytes + DirectFrame.HeaderBytes + bytes);
        span[4] = (byte)kind;
        BinaryPrimitives.WriteInt64LittleEndian(span[5..], number);
        BinaryPrimitives.WriteUInt16LittleEndian(span[13..], checked((ushort)bytes));
        Encoding.UTF8.GetBytes(key, span[15..]);
        _buffer.Advance(DirectFrame.LengthBytes + DirectFrame.HeaderBytes + bytes);
    }

    private void Send()
    {
        var written = System.Runtime.InteropServices.MemoryMarshal.AsMemory(_buffer.WrittenMemory).Span;
        BinaryPrimitives.WriteInt32LittleEndian(written, written.Length - DirectFrame.LengthBytes);
        stream.Write(written);
    }
}

/// <summary>Reads frames from a connection; used by one thread at a time.</summary>
internal sealed class DirectReader(Stream stream)
{
    private byte[] _buffer = new byte[1 << 15];
    private int _start, _end;

    /// <summary>Waits for the next frame.</summary>
    /// <returns>False if the connection has ended.</returns>
    /// <exception cref="InvalidDataException">What has come is no frame.</exception>
    /// <exception cref="IOException">The connection is broken.</exception>
    public bool TryRead(out DirectFrame frame)
    {
        while (!TryTake(out frame))
        {
            if (!Fill())
                return false;
        }

        return true;
    }

    /// <summary>Takes the next frame, if it is there.</summary>
    /// <exception cref="InvalidDataException">What has come is no frame.</exception>
    public bool TryTake(out DirectFrame frame)
    {
        frame = default;
        if (_end - _start < DirectFrame.LengthBytes)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(_start));
        if (length is < DirectFrame.HeaderBytes or > DirectFrame.MostBytes)
            throw new InvalidDataException($"A frame claims {length} bytes; it has {DirectFrame.HeaderBytes} to {DirectFrame.MostBytes}.");
        if (_end - _start - DirectFrame.LengthBytes < length)
        {
            Room(DirectFrame.LengthBytes + length);
            return false;
        }

        var bytes = _buffer.AsMemory(_start + DirectFrame.LengthBytes, length);
        _start += DirectFrame.LengthBytes + length;
        var span = bytes.Span;
        var key = BinaryPrimitives.ReadUInt16LittleEndian(span[9..]);
        if (DirectFrame.HeaderBytes + key > length)
            throw new InvalidDataException($"A frame of {length} bytes claims a key of {key}.");
        frame = new DirectFrame(
            (DirectKind)span[0], BinaryPrimitives.ReadInt64LittleEndian(span[1..]), Encoding.UTF8.GetString(span.Slice(DirectFrame.HeaderBytes, key)), bytes[(DirectFrame.HeaderBytes + key)..]);
        return true;
    }

    /// <summary>Waits for more bytes.</summary>
    /// <returns>False if the connection has ended.</returns>
    public bool Fill()
    {
        Room(DirectFrame.LengthBytes + DirectFrame.HeaderBytes);
        var count = stream.Read(_buffer.AsSpan(_end));
        _end += count;
        return count > 0;
    }

    /// <summary>Makes room for a frame of so many bytes, and for at least one more byte than there are.</summary>
    private void Room(int bytes)
    {
        if (_start == _end)
            _start = _end = 0;
        var needed = Math.Max(bytes, _end - _start + 1);
        if (_start + needed <= _buffer.Length)
            return;
        var target = needed <= _buffer.Length ? _buffer : new byte[Math.Max(needed, 2 * _buffer.Length)];
        Buffer.BlockCopy(_buffer, _start, target, 0, _end - _start);
        (_buffer, _end, _start) = (target, _end - _start, 0);
    }
}
