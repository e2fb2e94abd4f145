namespace Slm.Engine.Kernels.Assembled;

/// <summary>A panel format with one scale for 32 columns as the assembled kernels see it: unsigned codes, laid out as in <see cref="Panels.PanelLayout"/>.</summary>
/// <param name="Bits">Bits of a code that lie together: 4 or 8.</param>
/// <param name="Offset">What unsigned codes are too large by: 0, 8, 16 or 128.</param>
/// <param name="HasMinimum">A minimum is added for each run of 32.</param>
/// <param name="FifthBit">Codes have a fifth bit.</param>
/// <param name="Nested">Scales and minimums are bytes, times F16 values in a header before 256 columns.</param>
/// <param name="Table">16 bytes that codes choose from, already unsigned; null if codes are numbers.</param>
internal sealed record RunFormat(int Bits, int Offset, bool HasMinimum = false, bool FifthBit = false, bool Nested = false, byte[]? Table = null);

/// <summary>A panel format with an integer scale for 16 columns; see <see cref="Panels.IGroupedPanel"/>.</summary>
/// <param name="Bits">Bits of a code: 2, or 3 with an offset of 4, or 6 with an offset of 32.</param>
/// <param name="HasMinimum">Scale bytes hold a scale in the lower and a minimum in the upper nibble.</param>
internal sealed record GroupedFormat(int Bits, bool HasMinimum);

/// <summary>Gives each format kernels of its own.</summary>
internal interface IVnniFormat
{
    /// <summary>Most tokens of a kernel: 4 or 8.</summary>
    static abstract int MostTokens { get; }

    /// <summary>A header comes before 256 columns.</summary>
    static abstract bool Nested { get; }

    /// <summary>What writes the kernel for some tokens.</summary>
    static abstract VnniAssembler Assembler(int tokens);
}

internal readonly struct Q40Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 8), tokens);
}

internal readonly struct Q41Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 0, HasMinimum: true), tokens);
}

internal readonly struct Q50Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 16, FifthBit: true), tokens);
}

internal readonly struct Q51Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 0, HasMinimum: true, FifthBit: true), tokens);
}

internal readonly struct Q80Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(8, 128), tokens);
}

internal readonly struct Q4KVnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => true;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 0, HasMinimum: true, Nested: true), tokens);
}

internal readonly struct Q5KVnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => true;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 0, HasMinimum: true, FifthBit: true, Nested: true), tokens);
}

/// <summary>The values of IQ4_NL plus 128.</summary>
internal readonly struct Iq4Vnni : IVnniFormat
{
    public static int MostTokens => 8;

    public static bool Nested => false;

    public static VnniAssembler Assembler(int tokens) => new RunAssembler(new RunFormat(4, 128, Table: [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241]), tokens);
}

internal readonly struct Q6KVnni : IVnniFormat
{
    public static int MostTokens => 4;

    public static bool Nested => true;

    public static VnniAssembler Assembler(int tokens) => new GroupedAssembler(new GroupedFormat(6, HasMinimum: false), tokens);
}

internal readonly struct Q3KVnni : IVnniFormat
{
    public static int MostTokens => 4;

    public static bool Nested => true;

    public static VnniAssembler Assembler(int tokens) => new GroupedAssembler(new GroupedFormat(3, HasMinimum: false), tokens);
}

internal readonly struct Q2KVnni : IVnniFormat
{
    public static int MostTokens => 4;

    public static bool Nested => true;

    public static VnniAssembler Assembler(int tokens) => new GroupedAssembler(new GroupedFormat(2, HasMinimum: true), tokens);
}
