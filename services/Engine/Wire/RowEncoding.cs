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

    /// <summary>Writes rows.</summary>
    /// <param name="format">How.</param>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="payload"><see cref="PayloadBytes"/> bytes.</param>
    /// <returns>Rows that are scaled by 2^-e because a value does not fit a half: row and e in turn, by ascending row; normally none.</returns>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public static int[] Encode(WireFormat format, ReadOnlySpan<float> values, int width, Span<byte> payload)
    {
        var rows = Check(format, values.Length, width, payload.Length);
        if (format == WireFormat.F32)
        {
            MemoryMarshal.AsBytes(values).CopyTo(payload);
            return [];
        }

        List<int>? scaled = null;
        var bytes = format.RowBytes(width);
        for (var row = 0; row < rows; row++)
        {
            var from = values.Slice(row * width, width);
            var to = payload.Slice(row * bytes, bytes);
            if (format == WireFormat.Q8)
                Int8Row.Write(from, to);
            else if (HalfRow.Write(from, MemoryMarshal.Cast<byte, Half>(to)) is var exponent && exponent > 0)
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
        var rows = Check(format, values.Length, width, payload.Length);
        if (scaled.Length % 2 != 0 || (scaled.Length > 0 && format != WireFormat.F16))
            throw new ArgumentException($"{scaled.Length} numbers name scaled rows of {format}; they come in pairs, and with F16 only.", nameof(scaled));
        if (format == WireFormat.F32)
        {
            payload.CopyTo(MemoryMarshal.AsBytes(values));
            return;
        }

        var bytes = format.RowBytes(width);
        for (var row = 0; row < rows; row++)
        {
            var from = payload.Slice(row * bytes, bytes);
            var to = values.Slice(row * width, width);
            if (format == WireFormat.Q8)
                Int8Row.Read(from, to);
            else
                HalfRow.Read(MemoryMarshal.Cast<byte, Half>(from), to);
        }

        for (var i = 0; i < scaled.Length; i += 2)
        {
            if ((uint)scaled[i] >= (uint)rows || scaled[i + 1] is < 1 or > HalfRow.MaxExponent)
                throw new ArgumentException($"Row {scaled[i]} of {rows} cannot be scaled by 2^{scaled[i + 1]}; exponents are 1 to {HalfRow.MaxExponent}.", nameof(scaled));
            HalfRow.Scale(values.Slice(scaled[i] * width, width), scaled[i + 1]);
        }
    }

    /// <summary>Bytes of a row.</summary>
    public static int RowBytes(this WireFormat format, int width) => format switch
    {
        WireFormat.F32 => checked(width * sizeof(float)),
        WireFormat.F16 => checked(width * 2),
        WireFormat.Q8 => Int8Row.Bytes(width),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Rows are written as F32 (1), F16 (2) or Q8 (3)."),
    };

    private static int Check(WireFormat format, int values, int width, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (values % width != 0)
            throw new ArgumentException($"{values} values are no rows of {width}.", nameof(values));
        var rows = values / width;
        if (PayloadBytes(format, rows, width) != bytes)
            throw new ArgumentException($"{rows} rows of {width} values take {PayloadBytes(format, rows, width)} bytes as {format}, but there are {bytes}.", nameof(bytes));
        return rows;
    }
}
