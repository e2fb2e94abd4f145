using Slm.V1;

namespace Slm.Contracts.Grains;

/// <summary>
/// One copy of a model at work, on one silo (<see cref="SiloKey"/>): the batch of its requests, and the pipeline of stages that
/// computes it. It replaces stages that are lost under running answers. Calls fail with <see cref="StatusException"/>.
/// </summary>
[Alias("slm.replica")]
public interface IReplicaGrain : IGrainWithStringKey
{
    /// <summary>Loads the stages.</summary>
    [Alias("start"), ResponseTimeout("00:30:00")]
    Task<ReplicaInfo> StartAsync(ReplicaSpec spec);

    /// <summary>What it holds now; null if it was not started.</summary>
    [Alias("get"), ResponseTimeout("00:00:10")]
    Task<ReplicaInfo?> GetAsync();

    /// <summary>Answers at once if it is at work: false if it was not started or has stopped.</summary>
    [Alias("ping"), ResponseTimeout("00:00:10")]
    Task<bool> PingAsync();

    /// <summary>Stages, memory and load of this copy.</summary>
    [Alias("describe"), ResponseTimeout("00:00:30")]
    Task<Payload<ModelDescription>> DescribeAsync();

    /// <summary>Moves the stages it has on a silo elsewhere; running answers go on.</summary>
    /// <returns>What moved, in sentences.</returns>
    [Alias("vacate"), ResponseTimeout("00:30:00")]
    Task<string[]> VacateAsync(string silo);

    /// <summary>Frees everything.</summary>
    /// <param name="handOver">True: running answers end at once with UNAVAILABLE and the reason REPLICA_MOVED, for another copy to go on with; false: they may end first.</param>
    [Alias("stop"), ResponseTimeout("00:30:00")]
    Task StopAsync(bool handOver);

    /// <summary>The adapters that requests can choose.</summary>
    [Alias("list-adapters"), ResponseTimeout("00:00:30")]
    Task<Payload<Adapter>[]> ListAdaptersAsync();

    /// <summary>Loads an adapter.</summary>
    [Alias("load-adapter"), ResponseTimeout("00:30:00")]
    Task<Payload<Adapter>> LoadAdapterAsync(Payload<LoadAdapterRequest> request);

    /// <summary>Lets the requests that use an adapter end, then frees its memory.</summary>
    [Alias("unload-adapter"), ResponseTimeout("00:30:00")]
    Task<Payload<Adapter>> UnloadAdapterAsync(Payload<UnloadAdapterRequest> request);

    /// <summary>Continues a prompt. Ending the enumeration frees its place in the batch.</summary>
    [Alias("generate"), ResponseTimeout("00:30:00")]
    IAsyncEnumerable<Payload<GenerateResponse>> GenerateAsync(Payload<GenerateRequest> request, CancellationToken cancellationToken);

    /// <summary>Log-probabilities of a given continuation.</summary>
    [Alias("score"), ResponseTimeout("00:30:00")]
    Task<Payload<ScoreResponse>> ScoreAsync(Payload<ScoreRequest> request, CancellationToken cancellationToken);

    /// <summary>One vector per input.</summary>
    [Alias("embed"), ResponseTimeout("00:30:00")]
    Task<Payload<EmbedResponse>> EmbedAsync(Payload<EmbedRequest> request, CancellationToken cancellationToken);
}

/// <summary>What a replica is to be.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Replica">Its number, from 0.</param>
/// <param name="Settings">How the model was asked to be loaded.</param>
/// <param name="Stages">Where its stages go, in order.</param>
/// <param name="StepsAtOnce">Steps in flight at a time.</param>
/// <param name="Adapters">Adapters it is to hold.</param>
/// <param name="Wire">How activations are written between silos: 1 F32, 2 F16, 3 Q8.</param>
[GenerateSerializer, Immutable, Alias("slm.replica-spec")]
public sealed record ReplicaSpec(
    [property: Id(0)] string Model,
    [property: Id(1)] int Replica,
    [property: Id(2)] Payload<LoadModelRequest> Settings,
    [property: Id(3)] StagePlace[] Stages,
    [property: Id(4)] int StepsAtOnce,
    [property: Id(5)] Payload<LoadAdapterRequest>[] Adapters,
    [property: Id(6)] int Wire);

/// <summary>Where a stage goes.</summary>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="Silo">Parsable address of the silo.</param>
/// <param name="Experts">Where the experts go that the stage does not hold itself.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-place")]
public sealed record StagePlace(
    [property: Id(0)] int FirstLayer,
    [property: Id(1)] int EndLayer,
    [property: Id(2)] string Silo,
    [property: Id(3)] ExpertPlace[] Experts);

/// <summary>Where some experts of a stage's layers go.</summary>
/// <param name="Experts">Per layer of the stage their numbers, ascending.</param>
/// <param name="Silo">Parsable address of the silo.</param>
[GenerateSerializer, Immutable, Alias("slm.expert-place")]
public sealed record ExpertPlace(
    [property: Id(0)] int[][] Experts,
    [property: Id(1)] string Silo);

/// <summary>A replica at work.</summary>
/// <param name="Key">Key of its grain.</param>
/// <param name="Spec">What it is, with its stages where they are now.</param>
/// <param name="Running">Requests at work.</param>
/// <param name="Waiting">Requests in the queue.</param>
/// <param name="ContextLength">Most tokens of prompt and answer.</param>
[GenerateSerializer, Immutable, Alias("slm.replica-info")]
public sealed record ReplicaInfo(
    [property: Id(0)] string Key,
    [property: Id(1)] ReplicaSpec Spec,
    [property: Id(2)] int Running,
    [property: Id(3)] int Waiting,
    [property: Id(4)] int ContextLength);
