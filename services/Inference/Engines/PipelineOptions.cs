namespace Slm.Inference.Engines;

/// <summary>When a part of a pipeline counts as lost.</summary>
internal sealed record PipelineOptions
{
    /// <summary>A step that takes longer has its stages asked whether they live.</summary>
    public TimeSpan AskAfter { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>A stage that does not answer for so long is lost.</summary>
    public TimeSpan LostAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A step that a stage lacks for so long, and for as long as its bytes may take, is lost on its way.</summary>
    public TimeSpan PassLostAfter => 5 * LostAfter;

    /// <summary>A stage that does not hear from its owner for so long frees itself.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a silo that was lost is not given stages again.</summary>
    public TimeSpan Avoid { get; init; } = TimeSpan.FromSeconds(30);
}
