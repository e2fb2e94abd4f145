namespace Slm.Tools.Schema;

/// <summary>Where and how a JSON value breaks its schema.</summary>
/// <param name="Path">JSON Pointer of the place in the value; empty for the whole.</param>
/// <param name="Keyword">The keyword that is broken.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
public sealed record SchemaViolation(string Path, string Keyword, string Message);

/// <summary>A JSON Schema that cannot be used.</summary>
/// <param name="message">What is wrong with it.</param>
public sealed class SchemaException(string message) : Exception(message);
