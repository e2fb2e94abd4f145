namespace Slm.Engine.Formats;

/// <summary>Element types of tensors, with the numbers the GGUF format gives them.</summary>
public enum TensorType
{
    /// <summary>32-bit float.</summary>
    F32 = 0,

    /// <summary>16-bit float (IEEE 754 binary16).</summary>
    F16 = 1,

    /// <summary>Blocks of 32 in 4 bits with a scale.</summary>
    Q4_0 = 2,

    /// <summary>Blocks of 32 in 4 bits with scale and minimum.</summary>
    Q4_1 = 3,

    /// <summary>Blocks of 32 in 5 bits with a scale.</summary>
    Q5_0 = 6,

    /// <summary>Blocks of 32 in 5 bits with scale and minimum.</summary>
    Q5_1 = 7,

    /// <summary>Blocks of 32 in 8 bits with a scale.</summary>
    Q8_0 = 8,

    /// <summary>Blocks of 32 in 8 bits with scale and sum.</summary>
    Q8_1 = 9,

    /// <summary>Super-blocks of 256 in 2 bits.</summary>
    Q2_K = 10,

    /// <summary>Super-blocks of 256 in 3 bits.</summary>
    Q3_K = 11,

    /// <summary>Super-blocks of 256 in 4 bits.</summary>
    Q4_K = 12,

    /// <summary>Super-blocks of 256 in 5 bits.</summary>
    Q5_K = 13,

    /// <summary>Super-blocks of 256 in 6 bits.</summary>
    Q6_K = 14,

    /// <summary>Super-blocks of 256 in 8 bits.</summary>
    Q8_K = 15,

    /// <summary>Super-blocks of 256 in about 2.06 bits.</summary>
    IQ2_XXS = 16,

    /// <summary>Super-blocks of 256 in about 2.31 bits.</summary>
    IQ2_XS = 17,

    /// <summary>Super-blocks of 256 in about 3.06 bits.</summary>
    IQ3_XXS = 18,

    /// <summary>Super-blocks of 256 in about 1.56 bits.</summary>
    IQ1_S = 19,

    /// <summary>Blocks of 32 in 4 bits with a non-linear table.</summary>
    IQ4_NL = 20,

    /// <summary>Super-blocks of 256 in about 3.44 bits.</summary>
    IQ3_S = 21,

    /// <summary>Super-blocks of 256 in about 2.5 bits.</summary>
    IQ2_S = 22,

    /// <summary>Super-blocks of 256 in about 4.25 bits.</summary>
    IQ4_XS = 23,

    /// <summary>8-bit integer.</summary>
    I8 = 24,

    /// <summary>16-bit integer.</summary>
    I16 = 25,

    /// <summary>32-bit integer.</summary>
    I32 = 26,

    /// <summary>64-bit integer.</summary>
    I64 = 27,

    /// <summary>64-bit float.</summary>
    F64 = 28,

    /// <summary>Super-blocks of 256 in about 1.75 bits.</summary>
    IQ1_M = 29,

    /// <summary>16-bit brain float.</summary>
    BF16 = 30,

    /// <summary>Super-blocks of 256, ternary, 1.69 bits.</summary>
    TQ1_0 = 34,

    /// <summary>Super-blocks of 256, ternary, 2.06 bits.</summary>
    TQ2_0 = 35,

    /// <summary>Blocks of 32 in 4-bit floats with a shared exponent.</summary>
    MXFP4 = 39,

    /// <summary>Blocks of 64 in 4-bit floats, an 8-bit scale for each 16.</summary>
    NVFP4 = 40,

    /// <summary>Blocks of 128 in 1 bit with a scale.</summary>
    Q1_0 = 41,

    /// <summary>Blocks of 64 in 2 bits with a scale.</summary>
    Q2_0 = 42,
}

/// <summary>Sizes of the element types.</summary>
public static class TensorTypes
{
    private static readonly (int Elements, int Bytes)[] Blocks = BuildTable();

    /// <summary>True for a number the format defines.</summary>
    public static bool IsKnown(TensorType type) => (uint)type < (uint)Blocks.Length && Blocks[(int)type].Elements > 0;

    /// <summary>True for a number that earlier versions of the format gave to a type that is gone.</summary>
    internal static bool IsRemoved(uint number) => number is 4 or 5 or (>= 31 and <= 33) or (>= 36 and <= 38);

    /// <summary>Elements of one block; 1 for plain types.</summary>
    public static int BlockElements(TensorType type) => Blocks[(int)type].Elements;

    /// <summary>Bytes of one block.</summary>
    public static int BlockBytes(TensorType type) => Blocks[(int)type].Bytes;

    /// <summary>Bytes of a row of <paramref name="columns"/> elements, a multiple of the block.</summary>
    public static long RowBytes(TensorType type, long columns) => columns / BlockElements(type) * BlockBytes(type);

    private static (int Elements, int Bytes)[] BuildTable()
    {
        var table = new (int, int)[(int)TensorType.Q2_0 + 1];
        void Set(TensorType type, int elements, int bytes) => table[(int)type] = (elements, bytes);
        Set(TensorType.F32, 1, 4);
        Set(TensorType.F16, 1, 2);
        Set(TensorType.BF16, 1, 2);
        Set(TensorType.F64, 1, 8);
        Set(TensorType.I8, 1, 1);
        Set(TensorType.I16, 1, 2);
        Set(TensorType.I32, 1, 4);
        Set(TensorType.I64, 1, 8);
        Set(TensorType.Q4_0, 32, 18);
        Set(TensorType.Q4_1, 32, 20);
        Set(TensorType.Q5_0, 32, 22);
        Set(TensorType.Q5_1, 32, 24);
        Set(TensorType.Q8_0, 32, 34);
        Set(TensorType.Q8_1, 32, 36);
        Set(TensorType.Q2_K, 256, 84);
        Set(TensorType.Q3_K, 256, 110);
        Set(TensorType.Q4_K, 256, 144);
        Set(TensorType.Q5_K, 256, 176);
        Set(TensorType.Q6_K, 256, 210);
        Set(TensorType.Q8_K, 256, 292);
        Set(TensorType.IQ2_XXS, 256, 66);
        Set(TensorType.IQ2_XS, 256, 74);
        Set(TensorType.IQ3_XXS, 256, 98);
        Set(TensorType.IQ1_S, 256, 50);
        Set(TensorType.IQ4_NL, 32, 18);
        Set(TensorType.IQ3_S, 256, 110);
        Set(TensorType.IQ2_S, 256, 82);
        Set(TensorType.IQ4_XS, 256, 136);
        Set(TensorType.IQ1_M, 256, 56);
        Set(TensorType.TQ1_0, 256, 54);
        Set(TensorType.TQ2_0, 256, 66);
        Set(TensorType.MXFP4, 32, 17);
        Set(TensorType.NVFP4, 64, 36);
        Set(TensorType.Q1_0, 128, 18);
        Set(TensorType.Q2_0, 64, 18);
        return table;
    }
}
