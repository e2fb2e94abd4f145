using Orleans.Concurrency;

namespace Slm.Contracts.Grains;

/// <summary>
/// A contiguous range of a model's layers and their KV blocks on one silo (<see cref="SiloKey"/>), as a part of a pipeline. The owner
/// hands a step to the first stage, each stage passes it on with its activations, and what the last one computes is the answer
/// to the owner. Where a stage does not know that (<see cref="StageInfo.Passes"/>), steps come from the owner to each stage and
/// activations from the stage before. Without word from its owner for as long as its lease, a stage frees itself.
/// </summary>
[Alias("slm.stage")]
public interface IStageGrain : IGrainWithStringKey
{
    /// <summary>Loads the layers; what it held before is freed.</summary>
    [Alias("load"), ResponseTimeout("00:30:00")]
    Task<StageInfo> LoadAsync(StageSpec spec);

    /// <summary>Begins a run: steps of earlier ones end, and those to come are numbered from 0.</summary>
    /// <returns>False if it holds no layers.</returns>
    [Alias("begin"), ResponseTimeout("00:00:10")]
    Task<bool> BeginAsync(StageRun run);

    /// <summary>Runs the stage's layers over one step, after the steps before it and when its input is there.</summary>
    /// <returns>What the last stage computes; nothing from the others, whose activations went to the stage behind.</returns>
    [Alias("run"), ResponseTimeout("00:10:00")]
    ValueTask<StageResult> RunAsync(StageRequest request);

    /// <summary>Takes the activations of the stage before, for a step that has come or will come from the owner.</summary>
    [Alias("receive"), ResponseTimeout("00:00:30")]
    ValueTask ReceiveAsync(StageInput input);

    /// <summary>
    /// Runs a step and passes it on; nobody waits for an answer. The last stage takes its input here, for a step that has come or
    /// will come from the owner.
    /// </summary>
    [Alias("pass"), OneWay]
    Task PassAsync(StagePass pass);

    /// <summary>How far it is, so that its owner notices steps that were lost on their way.</summary>
    [Alias("progress"), ResponseTimeout("00:00:10")]
    Task<StageProgress> ProgressAsync();

    /// <summary>From the next step on, another grain holds what a group of experts held.</summary>
    [Alias("set-experts"), ResponseTimeout("00:00:10")]
    Task SetExpertsAsync(int group, string key);

    /// <summary>Answers at once, whatever it computes: the owner knows that it lives, and the stage that its owner does.</summary>
    [Alias("ping"), ResponseTimeout("00:00:10")]
    Task<bool> PingAsync();

    /// <summary>How often the experts that it holds itself were visited; null if it holds no layers, or none that have experts.</summary>
    [Alias("visits"), ResponseTimeout("00:00:10")]
    Task<StageVisits?> VisitsAsync();

    /// <summary>Copies what an adapter has for these layers into a free slot.</summary>
    /// <returns>The tensors of the adapter that these layers use.</returns>
    [Alias("load-adapter"), ResponseTimeout("00:30:00")]
    Task<string[]> LoadAdapterAsync(StageAdapterSpec spec);

    /// <summary>Frees a slot; no step may name it any more. Nothing happens if it is empty.</summary>
    [Alias("unload-adapter"), ResponseTimeout("00:10:00")]
    Task UnloadAdapterAsync(int slot);

    /// <summary>Frees the layers. Nothing happens if none are loaded.</summary>
    [Alias("unload"), ResponseTimeout("00:10:00")]
    Task UnloadAsync();
}

/// <summary>What a stage is to hold.</summary>
/// <param name="Model">Name of the model in the silo's model folders.</param>
/// <param name="Source">Which file that is.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="BlockSize">Positions per KV block.</param>
/// <param name="BlockCount">KV blocks, the same number in every stage.</param>
/// <param name="MaxStepTokens">Most tokens per step.</param>
/// <param name="StateSlots">Slots of recurrent state, the same number in every stage; 0 for a model without.</param>
/// <param name="KvType">What keys and values are kept as: F32, Q16 or Q8.</param>
/// <param name="ExpertMemory">Most memory for this stage's experts; null keeps all of them.</param>
/// <param name="Numerics">The arithmetic of the pipeline: a silo that computes otherwise must not be mixed in.</param>
/// <param name="LeaseSeconds">How long it lives without word from its owner.</param>
/// <param name="Replica">Which copy of the model it belongs to.</param>
/// <param name="Stage">Its number in the pipeline.</param>
/// <param name="RoundedResidual">Round the residual stream behind every layer to what F16 says.</param>
/// <param name="Experts">Who holds the experts of its layers; null: the stage.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-spec")]
public sealed record StageSpec(
    [property: Id(0)] string Model,
    [property: Id(1)] FileSource Source,
    [property: Id(2)] int FirstLayer,
    [property: Id(3)] int EndLayer,
    [property: Id(4)] int BlockSize,
    [property: Id(5)] int BlockCount,
    [property: Id(6)] int MaxStepTokens,
    [property: Id(7)] int StateSlots,
    [property: Id(8)] string KvType,
    [property: Id(9)] long? ExpertMemory,
    [property: Id(10)] string Numerics,
    [property: Id(11)] int LeaseSeconds,
    [property: Id(12)] int Replica,
    [property: Id(13)] int Stage,
    [property: Id(14)] bool RoundedResidual,
    [property: Id(15)] StageExperts? Experts);

/// <summary>How the stages of a pipeline are connected until something about them changes.</summary>
/// <param name="Epoch">Number of the run, higher than any before.</param>
/// <param name="Next">Key of the stage behind; null for the last one.</param>
/// <param name="StepsAtOnce">Steps that may be on their way at a time: with more than one, results are copied.</param>
/// <param name="Wire">How activations are written for the stage behind: 1 F32, 2 F16, 3 Q8.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-run")]
public sealed record StageRun(
    [property: Id(0)] long Epoch,
    [property: Id(1)] string? Next,
    [property: Id(2)] int StepsAtOnce,
    [property: Id(3)] int Wire);

/// <summary>An adapter that a stage is to hold.</summary>
/// <param name="Slot">By which steps name it, from 1.</param>
/// <param name="File">Name of the adapter in the silo's adapter folders.</param>
/// <param name="Sha256">Hash of its file: silos with different files under one name must not be mixed.</param>
/// <param name="Strength">Factor on top of the file's own scale.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-adapter-spec")]
public sealed record StageAdapterSpec(
    [property: Id(0)] int Slot,
    [property: Id(1)] string File,
    [property: Id(2)] string Sha256,
    [property: Id(3)] float Strength);

/// <summary>What a stage holds, and where.</summary>
/// <param name="Silo">Parsable address of its silo.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="HasEmbedding">It starts from token ids.</param>
/// <param name="HasHead">It ends with logits.</param>
/// <param name="WeightBytes">Bytes of its weights.</param>
/// <param name="KvBytesPerToken">Bytes of keys and values per position.</param>
/// <param name="StateBytes">Bytes of a slot of recurrent state.</param>
/// <param name="SiloName">Name of its silo.</param>
/// <param name="Passes">It takes steps from the stage before and passes them on; silos of earlier versions do not.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-info")]
public sealed record StageInfo(
    [property: Id(0)] string Silo,
    [property: Id(1)] int FirstLayer,
    [property: Id(2)] int EndLayer,
    [property: Id(3)] bool HasEmbedding,
    [property: Id(4)] bool HasHead,
    [property: Id(5)] long WeightBytes,
    [property: Id(6)] long KvBytesPerToken,
    [property: Id(7)] long StateBytes,
    [property: Id(8)] string SiloName,
    [property: Id(9)] bool Passes = false);

/// <summary>How often a stage's own experts were visited.</summary>
/// <param name="Experts">The experts, ascending.</param>
/// <param name="Layers">Its layers that have experts.</param>
/// <param name="Visits">Per layer, visits of each expert since the stage was loaded, in the order of <paramref name="Experts"/>.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-visits")]
public sealed record StageVisits(
    [property: Id(0)] int[] Experts,
    [property: Id(1)] int[] Layers,
    [property: Id(2)] long[][] Visits);
