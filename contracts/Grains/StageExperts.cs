namespace Slm.Contracts.Grains;

/// <summary>Who holds the experts of a stage. Every expert is held by the stage or by exactly one group.</summary>
/// <param name="Local">Experts that the stage holds itself.</param>
/// <param name="Groups">The groups that hold the others.</param>
/// <param name="Format">How rows travel to them, see <see cref="WireRows.Format"/>.</param>
/// <param name="ResultFormat">How their results travel back.</param>
/// <param name="TimeoutMilliseconds">When a group that does not answer counts as lost.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-experts")]
public sealed record StageExperts(
    [property: Id(0)] int[] Local,
    [property: Id(1)] StageExpertGroup[] Groups,
    [property: Id(2)] int Format,
    [property: Id(3)] int ResultFormat,
    [property: Id(4)] int TimeoutMilliseconds);

/// <summary>One of the groups.</summary>
/// <param name="Key">Key of its <see cref="IExpertGroupGrain"/>.</param>
/// <param name="Experts">What it holds.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-expert-group")]
public sealed record StageExpertGroup(
    [property: Id(0)] string Key,
    [property: Id(1)] int[] Experts);
