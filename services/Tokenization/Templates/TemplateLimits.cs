namespace Slm.Tokenization.Templates;

/// <summary>What one rendering may cost. A template comes with a model file, so it is untrusted input.</summary>
public sealed record TemplateLimits
{
    public static TemplateLimits Default { get; } = new();

    /// <summary>Longest template source, in UTF-16 units.</summary>
    public int MaxSourceChars { get; init; } = 1 << 20;

    /// <summary>Longest rendered text, and longest string built on the way, in UTF-16 units.</summary>
    public int MaxOutputChars { get; init; } = 16 << 20;

    /// <summary>Work units: one per evaluated node, plus one per few characters or items touched.</summary>
    public long MaxSteps { get; init; } = 20_000_000;

    /// <summary>Deepest nesting of expressions, statements and calls.</summary>
    public int MaxDepth { get; init; } = 600;

    /// <summary>Longest <c>range()</c>; 100,000 in Jinja's sandbox.</summary>
    public int MaxRange { get; init; } = 100_000;
}
