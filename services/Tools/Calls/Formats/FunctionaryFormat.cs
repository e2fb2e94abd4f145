namespace Slm.Tools.Calls.Formats;

/// <summary>Functionary 3.1 and Llama's custom functions: <c>&lt;function=name&gt;arguments&lt;/function&gt;</c>.</summary>
public sealed class FunctionaryFormat : ArgumentsFormat
{
    /// <inheritdoc/>
    public override string Trigger => "<function=";

    /// <inheritdoc/>
    public override string Name => "functionary-3.1";

    /// <inheritdoc/>
    protected override string EndText => "</function>";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        // With parameters as tags it is XML, not JSON.
        return chatTemplate.Contains("<function=", StringComparison.Ordinal) && !chatTemplate.Contains("<parameter=", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    protected override string BeginText(string name) => $"<function={name}>";
}
