using System.Runtime.InteropServices;

namespace Slm.Engine.Wire;

/// <summary>Rows as they have come from another process, checked.</summary>
public readonly ref struct EncodedRows
{
    private readonly int _rowBytes;

    /// <param name="format">How they are written.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="payload">Their bytes, row after row.</param>
    /// <param name="scaled">See <see cref="Scaled"/>.</param>
    /// <exception cref="ArgumentException">The sizes do not fit, the format is not known, or a scaled row does not exist or is out of order.</exception>
    public EncodedRows(WireFormat format, int count, int width, ReadOnlySpan<byte> payload, ReadOnlySpan<int> scaled)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        RowEncoding.Check(format, count, width, payload.Length);
        if (scaled.Length % 2 != 0 || (scaled.Length > 0 && format != WireFormat.F16))
            throw new ArgumentException($"{scaled.Length} numbers name scaled rows of {format}; they come in pairs, and with F16 only.", nameof(scaled));
        for (var i = 0; i < scaled.Length; i += 2)
        {
            if ((uint)scaled[i] >= (uint)count || (i > 0 && scaled[i] <= scaled[i - 2]) || scaled[i + 1] is < 1 or > HalfRow.MaxExponent)
                throw new ArgumentException($"Row {scaled[i]} of {count} cannot be scaled by 2^{scaled[i + 1]}; rows ascend, and exponents are 1 to {HalfRow.MaxExponent}.", nameof(scaled));
        }

        (Format, Count, Width) = (format, count, width);
        Payload = payload;
        Scaled = scaled;
        _rowBytes = RowEncoding.RowBytes(format, width);
    }

    /// <summary>32-bit floats as they lie in memory.</summary>
    /// <param name="values">[rows, width].</param>
    /// <param name="width">Values of a row.</param>
    /// <exception cref="ArgumentException">The values are no whole rows.</exception>
    public EncodedRows(ReadOnlySpan<float> values, int width)
        : this(WireFormat.F32, values.Length / Math.Max(1, width), width, MemoryMarshal.AsBytes(values), [])
    {
    }

    /// <summary>How they are written.</summary>
    public WireFormat Format { get; }

    /// <summary>Number of rows.</summary>
    public int Count { get; }

    /// <summary>Values of a row.</summary>
    public int Width { get; }

    /// <summary>Their bytes, row after row.</summary>
    public ReadOnlySpan<byte> Payload { get; }

    /// <summary>Rows that are scaled by 2^-e: row and e in turn, rows ascending.</summary>
    public ReadOnlySpan<int> Scaled { get; }

    /// <summary>Reads one row.</summary>
    /// <exception cref="ArgumentException">There is no such row, or the target is not as wide.</exception>
    public void Read(int row, Span<float> target)
    {
        var from = Payload.Slice(row * _rowBytes, _rowBytes);
        if (target.Length != Width)
            throw new ArgumentException($"A row has {Width} values; the target has {target.Length}.", nameof(target));
        switch (Format)
        {
            case WireFormat.F16:
                HalfRow.Read(MemoryMarshal.Cast<byte, Half>(from), target);
                if (ExponentOf(row) is var exponent && exponent > 0)
                    HalfRow.Scale(target, exponent);
                break;
            case WireFormat.Q8:
                Int8Row.Read(from, target);
                break;
            default:
                from.CopyTo(MemoryMarshal.AsBytes(target));
                break;
        }
    }

    private int ExponentOf(int row)
    {
        var (begin, end) = (0, Scaled.Length / 2);
        while (begin < end)
        {
            var middle = (begin + end) / 2;
            if (Scaled[2 * middle] == row)
                return Scaled[(2 * middle) + 1];
            if (Scaled[2 * middle] < row)
                begin = middle + 1;
            else
                end = middle;
        }

        return 0;
    }
}
