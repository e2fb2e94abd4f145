using System.Buffers;
using Slm.Contracts.Grains;
using Slm.Engine.Wire;

namespace Slm.Inference.Engines;

/// <summary>Rows of floats as they travel, and back.</summary>
internal static class WireRowsOf
{
    /// <summary>Writes rows into a rented buffer.</summary>
    /// <param name="format">How.</param>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    public static WireRows Values(WireFormat format, ReadOnlySpan<float> values, int width)
    {
        var rows = values.Length / width;
        var bytes = checked((int)RowEncoding.PayloadBytes(format, rows, width));
        var buffer = ArrayPool<byte>.Shared.Rent(bytes);
        var scaled = RowEncoding.Encode(format, values, width, buffer.AsSpan(0, bytes));
        return new WireRows(rows, width, (int)format, scaled, buffer, bytes);
    }

    /// <summary>Reads rows and gives their buffer back.</summary>
    /// <param name="rows">What has come.</param>
    /// <param name="values">[rows, width].</param>
    public static void Read(this WireRows rows, Span<float> values)
    {
        RowEncoding.Decode((WireFormat)rows.Format, rows.Payload, rows.Scaled, rows.Width, values);
        rows.Release();
    }
}
