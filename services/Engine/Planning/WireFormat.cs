namespace Slm.Engine.Planning;

/// <summary>What activations are between machines.</summary>
public enum WireFormat
{
    /// <summary>16-bit floats: 2 bytes an element.</summary>
    F16,

    /// <summary>32-bit floats, which change no bit: 4 bytes an element.</summary>
    F32,

    /// <summary>8-bit integers with a 16-bit scale for 32 elements: 34 bytes for 32 elements.</summary>
    Q8,
}

/// <summary>Sizes of formats.</summary>
public static class WireFormats
{
    private const int BlockElements = 32;

    /// <summary>Bytes of a row of <paramref name="elements"/> values.</summary>
    public static long RowBytes(this WireFormat format, int elements) => format switch
    {
        WireFormat.F16 => elements * 2L,
        WireFormat.F32 => elements * 4L,
        WireFormat.Q8 => elements + ((elements + BlockElements - 1L) / BlockElements * 2),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "F16, F32 and Q8 are known."),
    };
}
