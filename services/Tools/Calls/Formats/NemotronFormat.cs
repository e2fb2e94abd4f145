namespace Slm.Tools.Calls.Formats;

/// <summary>Nemotron: an array between <c>TOOLCALL</c> tags.</summary>
public sealed class NemotronFormat() : ArrayFormat("<TOOLCALL>", "</TOOLCALL>")
{
    /// <inheritdoc/>
    public override string Name => "nemotron";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<TOOLCALL>", StringComparison.Ordinal);
    }
}
