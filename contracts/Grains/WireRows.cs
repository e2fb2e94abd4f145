using System.Buffers;

namespace Slm.Contracts.Grains;

/// <summary>
/// Rows of activations on their way to or from a grain, in a rented buffer: the sender's own within a silo, its bytes between
/// silos. They travel once: writing them to another silo gives the buffer back, and whoever receives them calls
/// <see cref="Release"/> after reading. A buffer that nobody gives back, because a call has failed, is left to the collector.
/// </summary>
[Immutable]
public sealed class WireRows
{
    private readonly int _bytes;
    private byte[]? _buffer;

    /// <summary>Takes over a buffer.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="format">How they are written: see <see cref="Format"/>.</param>
    /// <param name="scaled">See <see cref="Scaled"/>.</param>
    /// <param name="buffer">Rented from <see cref="ArrayPool{T}.Shared"/>; it belongs to the rows from now on.</param>
    /// <param name="bytes">Bytes of it that are the payload.</param>
    public WireRows(int rows, int width, int format, int[] scaled, byte[] buffer, int bytes)
    {
        ArgumentNullException.ThrowIfNull(scaled);
        ArgumentNullException.ThrowIfNull(buffer);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, buffer.Length);
        (Rows, Width, Format, Scaled) = (rows, width, format, scaled);
        (_buffer, _bytes) = (buffer, bytes);
    }

    /// <summary>No rows.</summary>
    public static WireRows None { get; } = new(0, 0, 0, [], [], 0);

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Values of a row.</summary>
    public int Width { get; }

    /// <summary>How they are written: 1 F32, 2 F16, 3 Q8; 0 if there are none.</summary>
    public int Format { get; }

    /// <summary>Of F16, rows scaled by 2^-e: row and e in turn. Empty but for rows with values beyond 65504.</summary>
    public int[] Scaled { get; }

    /// <summary>The bytes; valid until <see cref="Release"/>.</summary>
    /// <exception cref="InvalidOperationException">They have been given back.</exception>
    public ReadOnlySpan<byte> Payload => _bytes == 0 ? [] : (_buffer ?? throw Gone()).AsSpan(0, _bytes);

    /// <summary>Gives the buffer back. Nothing happens if that has been done.</summary>
    public void Release()
    {
        if (_bytes > 0 && Interlocked.Exchange(ref _buffer, null) is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Takes the buffer for its only journey, whose end is to return it to the pool; null if it is empty.</summary>
    internal byte[]? Take(out int bytes)
    {
        bytes = _bytes;
        return bytes == 0 ? null : Interlocked.Exchange(ref _buffer, null) ?? throw Gone();
    }

    private static InvalidOperationException Gone() => new("The rows have been sent or released; rows travel once.");
}
