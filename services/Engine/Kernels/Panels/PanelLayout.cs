using Slm.Engine.Formats;

namespace Slm.Engine.Kernels.Panels;

/// <summary>
/// How a quantized matrix lies in panels of R rows, side by side. A panel is a run of stored blocks of the R rows; each is a
/// header, then for every 32 columns their scales, codes and high bits.
/// </summary>
/// <remarks>
/// The 32 columns form eight groups of four neighbours. A code vector has four bytes for each row. Of 4-bit codes, vector v
/// holds group v in the low and group v + 4 in the high nibbles; of 2-bit codes, vector v holds group 4v + i in bits 2i; of
/// 8-bit codes, vector v is group v. One high bit: bit g belongs to group g. Two: as 2-bit codes.
/// </remarks>
/// <param name="Elements">Columns of a stored block.</param>
/// <param name="Header">Bytes per row before a stored block.</param>
/// <param name="Scales">Bytes per row before 32 columns.</param>
/// <param name="LowBits">Bits of a code that lie together: 2, 4 or 8.</param>
/// <param name="HighBits">Bits of a code apart from these: 0, 1 or 2.</param>
internal sealed record PanelLayout(int Elements, int Header, int Scales, int LowBits, int HighBits)
{
    /// <summary>Bytes per row of 32 columns.</summary>
    public int GroupBytes => Scales + (4 * LowBits) + (4 * HighBits);

    /// <summary>Bytes per row of a stored block.</summary>
    public int BlockBytes => Header + (Elements / 32 * GroupBytes);

    /// <summary>Layout of a type, or null if it has no panels.</summary>
    public static PanelLayout? Of(TensorType type) => type switch
    {
        TensorType.Q4_0 or TensorType.IQ4_NL => new(32, 0, 2, 4, 0),
        TensorType.Q4_1 => new(32, 0, 4, 4, 0),
        TensorType.Q5_0 => new(32, 0, 2, 4, 1),
        TensorType.Q5_1 => new(32, 0, 4, 4, 1),
        TensorType.Q8_0 => new(32, 0, 2, 8, 0),
        TensorType.Q2_K => new(256, 4, 2, 2, 0),
        TensorType.Q3_K => new(256, 2, 2, 2, 1),
        TensorType.Q4_K => new(256, 4, 2, 4, 0),
        TensorType.Q5_K => new(256, 4, 2, 4, 1),
        TensorType.Q6_K => new(256, 2, 2, 4, 2),
        _ => null,
    };

    /// <summary>Bytes of a row of <paramref name="columns"/> columns; a panel takes as many times its rows.</summary>
    public long RowBytes(long columns) => columns / Elements * BlockBytes;
}
