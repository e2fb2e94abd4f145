namespace Slm.Contracts.Grains;

/// <summary>
/// Some experts of every layer of a range, on one silo (<see cref="SiloKey"/>), which it computes for stages that do not hold
/// them. It keeps nothing between calls, so that any number of stages and copies of a model may share it. Without a call or ping
/// for as long as its lease, it frees itself.
/// </summary>
[Alias("slm.expert-group")]
public interface IExpertGroupGrain : IGrainWithStringKey
{
    /// <summary>Loads the experts; what it held before is freed.</summary>
    [Alias("load"), ResponseTimeout("00:30:00")]
    Task<ExpertGroupInfo> LoadAsync(ExpertGroupSpec spec);

    /// <summary>Computes a layer's visits.</summary>
    [Alias("forward"), ResponseTimeout("00:10:00")]
    ValueTask<ExpertResult> ForwardAsync(ExpertRequest request);

    /// <summary>What it holds and how often each expert was visited; null if it holds nothing.</summary>
    [Alias("get"), ResponseTimeout("00:00:10")]
    Task<ExpertGroupState?> GetAsync();

    /// <summary>Answers at once, whatever it computes, and lives on for another lease.</summary>
    /// <returns>False if it holds nothing.</returns>
    [Alias("ping"), ResponseTimeout("00:00:10")]
    Task<bool> PingAsync();

    /// <summary>Frees the experts. Nothing happens if none are loaded.</summary>
    [Alias("unload"), ResponseTimeout("00:10:00")]
    Task UnloadAsync();
}

/// <summary>What a group of experts is to hold.</summary>
/// <param name="Model">Name of the model in the silo's model folders.</param>
/// <param name="Source">Which file that is.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="Experts">The experts, ascending.</param>
/// <param name="MaxVisits">Visits that are computed at a time.</param>
/// <param name="Arithmetic">The arithmetic of the pipeline: a silo that computes otherwise must not be mixed in.</param>
/// <param name="LeaseSeconds">How long it lives without call or ping.</param>
/// <param name="Replica">Which copy of the model it belongs to.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-group-spec")]
public sealed record ExpertGroupSpec(
    [property: Id(0)] string Model,
    [property: Id(1)] FileSource Source,
    [property: Id(3)] int FirstLayer,
    [property: Id(4)] int EndLayer,
    [property: Id(5)] int[] Experts,
    [property: Id(6)] int MaxVisits,
    [property: Id(7)] string Arithmetic,
    [property: Id(8)] int LeaseSeconds,
    [property: Id(9)] int Replica);

/// <summary>What a group of experts holds, and where.</summary>
/// <param name="Silo">Parsable address of its silo.</param>
/// <param name="SiloName">Name of its silo.</param>
/// <param name="Experts">The experts, ascending.</param>
/// <param name="WeightBytes">Bytes of their matrices.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-group-info")]
public sealed record ExpertGroupInfo(
    [property: Id(0)] string Silo,
    [property: Id(1)] string SiloName,
    [property: Id(2)] int[] Experts,
    [property: Id(3)] long WeightBytes);

/// <summary>A layer's visits to the experts of a group.</summary>
/// <param name="Layer">Index in the model.</param>
/// <param name="Rows">Normed hidden states, each once. The receiver releases them.</param>
/// <param name="VisitRows">The row of each visit.</param>
/// <param name="VisitExperts">The expert of each visit, ascending.</param>
/// <param name="ResultFormat">How the results are to be written, see <see cref="WireRows.Format"/>.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-request")]
public sealed record ExpertRequest(
    [property: Id(0)] int Layer,
    [property: Id(1)] WireRows Rows,
    [property: Id(2)] int[] VisitRows,
    [property: Id(3)] int[] VisitExperts,
    [property: Id(4)] int ResultFormat);

/// <summary>What the experts make of their visits.</summary>
/// <param name="Rows">A row per visit, unweighted. The receiver releases them.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-result")]
public sealed record ExpertResult([property: Id(0)] WireRows Rows);

/// <summary>A group of experts at work.</summary>
/// <param name="Model">The model.</param>
/// <param name="Replica">Which copy of it.</param>
/// <param name="Info">What it holds, and where.</param>
/// <param name="Layers">Its layers that have experts.</param>
/// <param name="Visits">Per layer, visits of each expert since it was loaded, in the order of <see cref="ExpertGroupInfo.Experts"/>.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-group-state")]
public sealed record ExpertGroupState(
    [property: Id(0)] string Model,
    [property: Id(1)] int Replica,
    [property: Id(2)] ExpertGroupInfo Info,
    [property: Id(3)] int[] Layers,
    [property: Id(4)] long[][] Visits);
