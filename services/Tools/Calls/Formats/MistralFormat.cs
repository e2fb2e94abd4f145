namespace Slm.Tools.Calls.Formats;

/// <summary>Mistral with the tokenizers v3 and v7: an array behind <c>[TOOL_CALLS]</c>.</summary>
public sealed class MistralFormat() : ArrayFormat("[TOOL_CALLS] ", "")
{
    /// <inheritdoc/>
    public override string Name => "mistral";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("[TOOL_CALLS]", StringComparison.Ordinal) && !chatTemplate.Contains("[ARGS]", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public override string NewId() => MistralId.New();
}

/// <summary>Mistral with the tokenizers v11 and v13: <c>[TOOL_CALLS]name[ARGS]arguments</c>.</summary>
public sealed class MistralArgumentsFormat : ArgumentsFormat
{
    /// <inheritdoc/>
    public override string Trigger => "[TOOL_CALLS]";

    /// <inheritdoc/>
    public override string Name => "mistral-args";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    protected override string EndText => "";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("[TOOL_CALLS]", StringComparison.Ordinal) && chatTemplate.Contains("[ARGS]", StringComparison.Ordinal)
            && !chatTemplate.Contains("[CALL_ID]", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public override string NewId() => MistralId.New();

    /// <inheritdoc/>
    protected override string BeginText(string name) => $"[TOOL_CALLS]{name}[ARGS]";
}

/// <summary>The templates of Mistral take calls only with names of nine letters and digits.</summary>
internal static class MistralId
{
    public static string New() => Guid.NewGuid().ToString("N")[..9];
}
