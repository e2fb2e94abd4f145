namespace Slm.Contracts.Grains;

/// <summary>Which file a model's name means, and who has it. A silo that lacks it fetches what it needs; one that has another refuses.</summary>
/// <param name="Root">Root hash of its manifest; empty on the silo itself that it is served from, whose file it is.</param>
/// <param name="Silos">Parsable addresses of silos that have it, the one it is served from first.</param>
[GenerateSerializer, Immutable, Alias("slm.file-source")]
public sealed record FileSource(
    [property: Id(0)] string Root,
    [property: Id(1)] string[] Silos)
{
    /// <summary>The silo's own file.</summary>
    public static FileSource Own { get; } = new("", []);
}
