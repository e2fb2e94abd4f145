namespace Slm.Engine.Kernels.Panels;

/// <summary>
/// A panel format with one scale for 32 columns: weight = scale · (code - offset) + minimum. The properties are constants, so
/// that each format gets a kernel of its own.
/// </summary>
internal interface IPanelFormat
{
    /// <summary>Scales and minimums are bytes, times F16 values in a header before 256 columns.</summary>
    static abstract bool Nested { get; }

    /// <summary>There is a minimum.</summary>
    static abstract bool HasMinimum { get; }

    /// <summary>Subtracted from each code.</summary>
    static abstract short Offset { get; }

    /// <summary>Codes have a fifth bit.</summary>
    static abstract bool FifthBit { get; }
}

internal readonly struct Q40Panel : IPanelFormat
{
    public static bool Nested => false;

    public static bool HasMinimum => false;

    public static short Offset => 8;

    public static bool FifthBit => false;
}

internal readonly struct Q41Panel : IPanelFormat
{
    public static bool Nested => false;

    public static bool HasMinimum => true;

    public static short Offset => 0;

    public static bool FifthBit => false;
}

internal readonly struct Q50Panel : IPanelFormat
{
    public static bool Nested => false;

    public static bool HasMinimum => false;

    public static short Offset => 16;

    public static bool FifthBit => true;
}

internal readonly struct Q51Panel : IPanelFormat
{
    public static bool Nested => false;

    public static bool HasMinimum => true;

    public static short Offset => 0;

    public static bool FifthBit => true;
}

internal readonly struct Q4KPanel : IPanelFormat
{
    public static bool Nested => true;

    public static bool HasMinimum => true;

    public static short Offset => 0;

    public static bool FifthBit => false;
}

internal readonly struct Q5KPanel : IPanelFormat
{
    public static bool Nested => true;

    public static bool HasMinimum => true;

    public static short Offset => 0;

    public static bool FifthBit => true;
}
