namespace Slm.Tools.Calls.Formats;

/// <summary>Llama 3.1 to 3.3: the answer is one object with <c>name</c> and <c>parameters</c>, without any tag.</summary>
public sealed class LlamaJsonFormat : ArgumentsFormat
{
    /// <inheritdoc/>
    public override string Trigger => "{\"name\": \"";

    /// <inheritdoc/>
    public override string Name => "llama3-json";

    /// <inheritdoc/>
    public override string ArgumentsKey => "parameters";

    /// <inheritdoc/>
    public override bool SingleCall => true;

    /// <inheritdoc/>
    protected override string EndText => "}";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("ipython", StringComparison.Ordinal) && chatTemplate.Contains("\"parameters\": ", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    protected override string BeginText(string name) => $"{{\"name\": \"{name}\", \"parameters\": ";
}
