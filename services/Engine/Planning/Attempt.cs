namespace Slm.Engine.Planning;

/// <summary>A pipeline that was found, or why there is none.</summary>
internal sealed record Attempt
{
    /// <summary>Stages of the pipeline; empty if there is none.</summary>
    public IReadOnlyList<StagePlan> Stages { get; init; } = [];

    /// <summary>Sentences that say why it is this one.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>Why there is none.</summary>
    public PlacementException? Fault { get; init; }

    /// <summary>Whether there is one.</summary>
    public bool Found => Fault is null;
}
