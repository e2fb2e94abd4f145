namespace Slm.Tools.Calls;

/// <summary>Whether the model calls functions.</summary>
public enum ToolChoiceMode
{
    /// <summary>It may.</summary>
    Auto,

    /// <summary>It must not.</summary>
    None,

    /// <summary>It must, at least one.</summary>
    Required,
}

/// <summary>Whether the model calls functions, and which.</summary>
/// <param name="Mode">Whether.</param>
/// <param name="Names">Only these; null: all.</param>
/// <param name="Parallel">It may make several calls in one answer.</param>
public sealed record ToolChoice(ToolChoiceMode Mode, IReadOnlyList<string>? Names = null, bool Parallel = true)
{
    /// <summary>The functions that may be called.</summary>
    public IReadOnlyList<FunctionSpec> Of(IReadOnlyList<FunctionSpec> functions) =>
        Mode == ToolChoiceMode.None ? [] : Names is null ? functions : [.. functions.Where(f => Names.Contains(f.Name))];
}
