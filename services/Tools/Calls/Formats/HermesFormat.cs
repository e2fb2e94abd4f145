namespace Slm.Tools.Calls.Formats;

/// <summary>Hermes, Qwen 2.5 and 3, Granite 4, SmolLM 3 and others: an object between <c>tool_call</c> tags.</summary>
public sealed class HermesFormat() : ObjectFormat("<tool_call>\n", "\n</tool_call>")
{
    /// <inheritdoc/>
    public override string Name => "hermes";

    /// <inheritdoc/>
    public override string Separator => "\n";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        // Others have XML, not JSON, between the same tags.
        return chatTemplate.Contains("<tool_call>", StringComparison.Ordinal)
            && !chatTemplate.Contains("<function=", StringComparison.Ordinal) && !chatTemplate.Contains("<arg_key>", StringComparison.Ordinal);
    }
}
