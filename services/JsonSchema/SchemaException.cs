namespace Slm.JsonSchema;

/// <summary>A schema cannot be used.</summary>
/// <param name="location">JSON Pointer of the keyword at fault.</param>
/// <param name="message">What is wrong with it and what to do.</param>
public sealed class SchemaException(string location, string message) : Exception($"{(location.Length == 0 ? "the schema" : location)}: {message}")
{
    /// <summary>JSON Pointer of the keyword at fault, within the schema.</summary>
    public string Location { get; } = location;
}
