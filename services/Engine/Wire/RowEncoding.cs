using System.Runtime.InteropServices;

namespace Slm.Engine.Wire;

/// <summary>
/// Rows of 32-bit floats as the bytes of a <see cref="WireFormat"/> and back. A row's bytes depend on the row alone. What is no
/// number, or infinite, stays so as F32 and F16; as Q8 it makes its block of 32 into NaN, so that it is seen.
/// </summary>
public static class RowEncoding
{
    /// <summary>Bytes that rows take: 4, 2, or 1 a value; with Q8 4 more for each block of 32, of which a row's last may be short.</summary>
    public static long PayloadBytes(WireFormat format, long rows, int width) => checked(rows * format.RowBytes(width));

    /// <summary>Bytes of a row.</summary>
    public static int RowBytes(this WireFormat format, int width) => format switch
    {
        WireFormat.F32 => checked(width * sizeof(float)),
        WireFormat.F16 => checked(width * 2),
        WireFormat.Q8 => Int8Row.Bytes(width),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Rows are written as F32 (1), F16 (2) or Q8 (3)."),
    };

    /// <summary>Writes a row.</summary>
    /// <param name="format">How.</param>
    /// <param name="row">Its values.</param>
    /// <param name="payload"><see cref="RowBytes"/> bytes.</param>
    /// <returns>e of a row that is scaled by 2^-e because a value does not fit a half; 0 of others.</returns>
    /// <exception cref="ArgumentException">The size does not fit.</exception>
    public static int EncodeRow(WireFormat format, ReadOnlySpan<float> row, Span<byte> payload)
    {
        Check(format, 1, row.Length, payload.Length);
        switch (format)
        {
            case WireFormat.F16:
                return HalfRow.Write(row, MemoryMarshal.Cast<byte, Half>(payload));
            case WireFormat.Q8:
                Int8Row.Write(row, payload);
                return 0;
            default:
                MemoryMarshal.AsBytes(row).CopyTo(payload);
                return 0;
        }
    }

    /// <summary>Writes rows.</summary>
    /// <param name="format">How.</param>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="payload"><see cref="PayloadBytes"/> bytes.</param>
    /// <returns>The rows that are scaled, see <see cref="EncodedRows.Scaled"/>; normally none.</returns>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public static int[] Encode(WireFormat format, ReadOnlySpan<float> values, int width, Span<byte> payload)
    {
        var rows = Rows(values.Length, width);
        Check(format, rows, width, payload.Length);
        List<int>? scaled = null;
        var bytes = RowBytes(format, width);
        for (var row = 0; row < rows; row++)
        {
            if (EncodeRow(format, values.Slice(row * width, width), payload.Slice(row * bytes, bytes)) is var exponent && exponent > 0)
                (scaled ??= []).AddRange(row, exponent);
        }

        return scaled is null ? [] : [.. scaled];
    }

    /// <summary>Reads rows.</summary>
    /// <param name="format">How they were written.</param>
    /// <param name="payload"><see cref="PayloadBytes"/> bytes.</param>
    /// <param name="scaled">What <see cref="Encode"/> returned.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="values">[rows, width].</param>
    /// <exception cref="ArgumentException">The sizes do not fit, the format is not known, or a scaled row does not exist.</exception>
    public static void Decode(WireFormat format, ReadOnlySpan<byte> payload, ReadOnlySpan<int> scaled, int width, Span<float> values)
    {
        var rows = new EncodedRows(format, Rows(values.Length, width), width, payload, scaled);
        for (var row = 0; row < rows.Count; row++)
            rows.Read(row, values.Slice(row * width, width));
    }

    internal static void Check(WireFormat format, int rows, int width, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (PayloadBytes(format, rows, width) != bytes)
            throw new ArgumentException($"{rows} rows of {width} values take {PayloadBytes(format, rows, width)} bytes as {format}, but there are {bytes}.", nameof(bytes));
    }

    private static int Rows(int values, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        return values % width == 0 ? values / width : throw new ArgumentException($"{values} values are no rows of {width}.", nameof(values));
    }
}
