namespace Slm.Engine.Planning;

/// <summary>How a model is to be placed; what it leaves open the planner chooses.</summary>
/// <remarks>
/// The text form is <c>auto</c>, or a <see cref="PlacementMap"/>, or items separated by commas:
/// <code>
/// wish  = "auto" | map | item *("," item)
/// item  = "stages=" count | "experts=" count | "replicas=" count | "label:" name "=" value
/// count = 1 to 65536
/// </code>
/// Each item may occur once, and a label once for each name. Names and values are any characters but <c>, ; | @ =</c> and blanks.
/// </remarks>
public sealed record PlacementWish
{
    /// <summary>The planner chooses everything.</summary>
    public static PlacementWish Auto { get; } = new();

    /// <summary>Pipeline stages; null leaves the number open.</summary>
    public int? Stages { get; init; }

    /// <summary>Groups that the experts of each stage are split into; null leaves it open.</summary>
    public int? ExpertGroups { get; init; }

    /// <summary>Pipelines that each hold the whole model; null is 1.</summary>
    public int? Replicas { get; init; }

    /// <summary>An explicit map; then nothing is left open.</summary>
    public PlacementMap? Map { get; init; }

    /// <summary>Labels that a machine must have to be used.</summary>
    public IReadOnlyDictionary<string, string> RequiredLabels { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads the text form.</summary>
    /// <exception cref="PlacementException">It is malformed; the message names the item and the remedy.</exception>
    public static PlacementWish Parse(string text) => PlacementText.Parse(text);

    /// <summary>The text form, which <see cref="Parse"/> reads.</summary>
    public override string ToString() => PlacementText.Format(this);
}
