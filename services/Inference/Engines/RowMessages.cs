using System.Buffers;
using Slm.Contracts.Grains;
using Slm.Engine.Wire;

namespace Slm.Inference.Engines;

/// <summary>Rows of floats as they travel, and back.</summary>
internal static class RowMessages
{
    /// <summary>Writes rows into a rented buffer.</summary>
    /// <param name="format">How.</param>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    public static WireRows Write(WireFormat format, ReadOnlySpan<float> values, int width)
    {
        var rows = values.Length / width;
        var bytes = checked((int)RowEncoding.PayloadBytes(format, rows, width));
        var buffer = ArrayPool<byte>.Shared.Rent(bytes);
        var scaled = RowEncoding.Encode(format, values, width, buffer.AsSpan(0, bytes));
        return new WireRows(rows, width, (int)format, scaled, buffer, bytes);
    }

    /// <summary>Reads rows and gives their buffer back.</summary>
    /// <param name="message">What has come.</param>
    /// <param name="values">[rows, width].</param>
    public static void Read(this WireRows message, Span<float> values)
    {
        RowEncoding.Decode((WireFormat)message.Format, message.Payload, message.Scaled, message.Width, values);
        message.Release();
    }

    /// <summary>The rows, to be read one by one before they are released.</summary>
    /// <exception cref="ArgumentException">The message contradicts itself.</exception>
    public static EncodedRows Open(this WireRows message) => new((WireFormat)message.Format, message.Rows, message.Width, message.Payload, message.Scaled);
}
