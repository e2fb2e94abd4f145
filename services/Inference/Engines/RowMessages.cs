using System.Buffers;
using Slm.Contracts.Grains;
using Slm.Engine.Wire;

namespace Slm.Inference.Engines;

/// <summary>Activations as they travel, and back.</summary>
internal static class RowMessages
{
    /// <summary>Writes rows into a rented buffer.</summary>
    /// <param name="format">How.</param>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    public static WireRows ToMessage(WireFormat format, ReadOnlySpan<float> values, int width)
    {
        var rows = values.Length / width;
        var bytes = checked((int)RowEncoding.PayloadBytes(format, rows, width));
        var buffer = ArrayPool<byte>.Shared.Rent(bytes);
        return new WireRows(rows, width, (int)format, RowEncoding.Encode(format, values, width, buffer.AsSpan(0, bytes)), buffer, bytes);
    }

    /// <summary>The rows, to be read before they are released.</summary>
    /// <exception cref="ArgumentException">The message contradicts itself.</exception>
    public static EncodedRows Open(this WireRows message) => new((WireFormat)message.Format, message.Rows, message.Width, message.Payload, message.Scaled);
}
