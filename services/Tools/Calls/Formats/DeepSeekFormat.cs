namespace Slm.Tools.Calls.Formats;

/// <summary>DeepSeek V3 and R1: a fenced block of arguments behind the function's name. Each call is a block of its own.</summary>
public sealed class DeepSeekFormat : ArgumentsFormat
{
    /// <inheritdoc/>
    public override string Trigger => "<｜tool▁calls▁begin｜>";

    /// <inheritdoc/>
    public override string Name => "deepseek";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool WritesHistory => true;

    /// <inheritdoc/>
    protected override string EndText => "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<｜tool▁calls▁begin｜>", StringComparison.Ordinal) && chatTemplate.Contains("```json", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    protected override string BeginText(string name) => $"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n";
}

/// <summary>DeepSeek V3.1: the arguments follow the function's name at once. Each call is a block of its own.</summary>
public sealed class DeepSeek31Format : ArgumentsFormat
{
    /// <inheritdoc/>
    public override string Trigger => "<｜tool▁calls▁begin｜>";

    /// <inheritdoc/>
    public override string Name => "deepseek-3.1";

    /// <inheritdoc/>
    public override bool HasSpecialTokens => true;

    /// <inheritdoc/>
    public override bool WritesHistory => true;

    /// <inheritdoc/>
    protected override string EndText => "<｜tool▁call▁end｜><｜tool▁calls▁end｜>";

    /// <inheritdoc/>
    public override bool Recognizes(string chatTemplate)
    {
        ArgumentNullException.ThrowIfNull(chatTemplate);
        return chatTemplate.Contains("<｜tool▁calls▁begin｜>", StringComparison.Ordinal) && !chatTemplate.Contains("```json", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    protected override string BeginText(string name) => $"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{name}<｜tool▁sep｜>";
}
