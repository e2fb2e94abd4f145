namespace Slm.Engine.Kernels.Panels;

/// <summary>
/// The vector operations of the panel kernels. A vector holds one 32-bit lane for each row of a panel; its bytes are read as
/// 8-, 16- or 32-bit integers or as floats, as the operation says. All implementations give the same bits.
/// </summary>
/// <typeparam name="TVector">The register: 32 or 64 bytes.</typeparam>
internal unsafe interface IWide<TVector>
    where TVector : struct
{
    /// <summary>Rows of a panel: 32-bit lanes of a vector.</summary>
    static abstract int Rows { get; }

    /// <summary>Loads Rows · 4 bytes.</summary>
    static abstract TVector Load(byte* source);

    /// <summary>Stores Rows floats.</summary>
    static abstract void Store(TVector value, float* target);

    /// <summary>The 32 bits at <paramref name="source"/> in every lane.</summary>
    static abstract TVector Broadcast(void* source);

    /// <summary>A byte in every byte.</summary>
    static abstract TVector Fill(byte value);

    /// <summary>A 16-bit integer in every half lane.</summary>
    static abstract TVector Fill16(short value);

    /// <summary>A float in every lane.</summary>
    static abstract TVector FillFloat(float value);

    static abstract TVector And(TVector a, TVector b);

    static abstract TVector Or(TVector a, TVector b);

    /// <summary>Shifts 16-bit integers left.</summary>
    static abstract TVector ShiftLeft(TVector a, [System.Diagnostics.CodeAnalysis.ConstantExpected] byte count);

    /// <summary>Shifts unsigned 16-bit integers right.</summary>
    static abstract TVector ShiftRight(TVector a, [System.Diagnostics.CodeAnalysis.ConstantExpected] byte count);

    /// <summary>16-bit sums of the products of neighbouring bytes, unsigned by signed. The caller proves that nothing overflows.</summary>
    static abstract TVector MultiplyBytes(TVector unsigned, TVector signed);

    /// <summary>|a| of signed bytes, as unsigned bytes.</summary>
    static abstract TVector Magnitude(TVector a);

    /// <summary><paramref name="a"/> negated where <paramref name="sign"/> is negative; anything where it is zero.</summary>
    static abstract TVector WithSign(TVector a, TVector sign);

    /// <summary>32-bit sums of the products of neighbouring 16-bit integers.</summary>
    static abstract TVector MultiplyShorts(TVector a, TVector b);

    static abstract TVector Add16(TVector a, TVector b);

    static abstract TVector Subtract16(TVector a, TVector b);

    static abstract TVector Add32(TVector a, TVector b);

    /// <summary>32-bit integers to floats.</summary>
    static abstract TVector ToFloat(TVector a);

    static abstract TVector Multiply(TVector a, TVector b);

    /// <summary>a · b + c in floats with one rounding.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector AddFloat(TVector a, TVector b);

    /// <summary>Rows F16 values as floats.</summary>
    static abstract TVector Halves(byte* source);

    /// <summary>Rows unsigned bytes as floats.</summary>
    static abstract TVector Bytes(byte* source);

    /// <summary>2 · Rows signed bytes as 16-bit integers.</summary>
    static abstract TVector SignedPairs(byte* source);

    /// <summary>The lower 16 bits of every lane in both halves.</summary>
    static abstract TVector LowerTwice(TVector a);

    /// <summary>The upper 16 bits of every lane in both halves.</summary>
    static abstract TVector UpperTwice(TVector a);

    /// <summary>Each of the 16 bytes of a table that the (small) bytes of <paramref name="index"/> choose.</summary>
    static abstract TVector Lookup(byte* table, TVector index);
}
