namespace Slm.Tools.Calls.Formats;

/// <summary>Granite 3: an array behind <c>&lt;|tool_call|&gt;</c>.</summary>
public sealed class GraniteFormat() : ArrayFormat("<|tool_call|>", "")
{
    /// <inheritdoc/>
    public override string Name => "granite";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<|tool_call|>", StringComparison.Ordinal) && chatTemplate.Contains("start_of_role", StringComparison.Ordinal);
    }
}
