namespace Slm.JsonSchema;

/// <summary>Why a document is not valid.</summary>
/// <param name="Location">JSON Pointer of the part at fault, within the document; empty for all of it.</param>
/// <param name="Keyword">The keyword that it breaks.</param>
/// <param name="Message">What is wrong, in words that also a model understands.</param>
public sealed record SchemaError(string Location, string Keyword, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{(Location.Length == 0 ? "the document" : Location)} {Message}";
}
