namespace Slm.JsonSchema;

/// <summary>A schema cannot be used.</summary>
/// <param name="pointer">JSON Pointer of the keyword at fault.</param>
/// <param name="message">What is wrong with it and what to do.</param>
public sealed class SchemaException(string pointer, string message) : Exception($"{(pointer.Length == 0 ? "the schema" : pointer)}: {message}")
{
    /// <summary>JSON Pointer of the keyword at fault, within the schema.</summary>
    public string Pointer { get; } = pointer;
}
