namespace Slm.Engine.Constraints.Json;

/// <summary>Where white space stands between the elements of a JSON text.</summary>
public enum JsonWhitespace
{
    /// <summary>Anywhere RFC 8259 allows it, up to <see cref="JsonForm.MaxWhitespace"/> characters a time.</summary>
    Flexible,

    /// <summary>Nowhere.</summary>
    Compact,

    /// <summary>One space after ':' and ',', none elsewhere.</summary>
    Spaced,
}

/// <summary>How JSON is to be written.</summary>
public sealed record JsonForm
{
    /// <summary>White space between elements; never before or behind the value as a whole.</summary>
    public JsonWhitespace Whitespace { get; init; }

    /// <summary>Longest run of flexible white space, so that a weak model does not print blanks without end; 0 to 10,000.</summary>
    public int MaxWhitespace { get; init; } = 64;

    /// <summary>Properties in the order of the schema, then others; false: in any order.</summary>
    public bool SchemaOrder { get; init; }

    /// <summary>Integers without a fraction, and fractions without trailing zeros.</summary>
    public bool PlainIntegers { get; init; }

    /// <summary>Characters of strings are escaped only where JSON needs it.</summary>
    public bool PlainStrings { get; init; }

    /// <summary>"format" says nothing about which texts are valid.</summary>
    public bool IgnoreFormat { get; init; }

    /// <summary>Fewest and most characters of white space behind a colon or comma.</summary>
    internal (int Min, int Max) GapAfterSeparator => Whitespace switch { JsonWhitespace.Compact => (0, 0), JsonWhitespace.Spaced => (1, 1), _ => (0, MaxWhitespace) };

    /// <summary>Most characters of white space elsewhere.</summary>
    internal int Gap => Whitespace == JsonWhitespace.Flexible ? MaxWhitespace : 0;

    /// <summary>Whether a byte may stand in a gap.</summary>
    internal bool IsSpace(byte b) => Whitespace == JsonWhitespace.Flexible ? b is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t' : b == ' ';
}
