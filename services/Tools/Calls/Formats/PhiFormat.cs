namespace Slm.Tools.Calls.Formats;

/// <summary>Phi-4-mini as published: an array between <c>&lt;|tool_call|&gt;</c> and <c>&lt;|/tool_call|&gt;</c>; the template does not write it.</summary>
public sealed class PhiFormat() : ArrayFormat("<|tool_call|>", "<|/tool_call|>")
{
    /// <inheritdoc/>
    public override string Name => "phi4-mini";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool WritesHistory => true;

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<|/tool|>", StringComparison.Ordinal) && !chatTemplate.Contains("<|tool_call|>", StringComparison.Ordinal);
    }
}

/// <summary>Phi-4-mini with templates that write calls: an object between the same tags.</summary>
public sealed class PhiObjectFormat() : ObjectFormat("<|tool_call|>", "<|/tool_call|>")
{
    /// <inheritdoc/>
    public override string Name => "phi4-mini-object";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<|tool_call|>", StringComparison.Ordinal) && chatTemplate.Contains("<|/tool_call|>", StringComparison.Ordinal);
    }
}
