using System.Runtime.InteropServices;

namespace Slm.Contracts.Grains;

/// <summary>
/// A contiguous range of a model's layers and their KV blocks, keyed by "model/stage". It computes one step at a time.
/// </summary>
[Alias("slm.stage")]
public interface IStageGrain : IGrainWithStringKey
{
    /// <summary>Loads the layers; what it held before is freed.</summary>
    [Alias("load"), ResponseTimeout("00:30:00")]
    Task<StageInfo> LoadAsync(StageSpec spec);

    /// <summary>Runs the stage's layers over one step.</summary>
    [Alias("forward"), ResponseTimeout("00:10:00")]
    ValueTask<StageResult> ForwardAsync(StageRequest request);

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
/// <param name="FileBytes">Size of its file: silos with different files under one name must not be mixed.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="BlockSize">Positions per KV block.</param>
/// <param name="BlockCount">KV blocks, the same number in every stage.</param>
/// <param name="MaxStepTokens">Most tokens per step.</param>
/// <param name="StateSlots">Slots of recurrent state, the same number in every stage; 0 for a model without.</param>
/// <param name="KvType">What keys and values are kept as: F32, Q16 or Q8.</param>
/// <param name="ExpertMemory">Most memory for this stage's experts; null keeps all of them.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-spec")]
public sealed record StageSpec(
    [property: Id(0)] string Model,
    [property: Id(1)] long FileBytes,
    [property: Id(2)] int FirstLayer,
    [property: Id(3)] int EndLayer,
    [property: Id(4)] int BlockSize,
    [property: Id(5)] int BlockCount,
    [property: Id(6)] int MaxStepTokens,
    [property: Id(7)] int StateSlots,
    [property: Id(8)] string KvType,
    [property: Id(9)] long? ExpertMemory);

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
/// <param name="Silo">Address of its silo.</param>
/// <param name="FirstLayer">First layer.</param>
/// <param name="EndLayer">Behind the last layer.</param>
/// <param name="HasEmbedding">It starts from token ids.</param>
/// <param name="HasHead">It ends with logits.</param>
/// <param name="WeightBytes">Bytes of its weights.</param>
/// <param name="KvBytesPerToken">Bytes of keys and values per position.</param>
/// <param name="StateBytes">Bytes of a slot of recurrent state.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-info")]
public sealed record StageInfo(
    [property: Id(0)] string Silo,
    [property: Id(1)] int FirstLayer,
    [property: Id(2)] int EndLayer,
    [property: Id(3)] bool HasEmbedding,
    [property: Id(4)] bool HasHead,
    [property: Id(5)] long WeightBytes,
    [property: Id(6)] long KvBytesPerToken,
    [property: Id(7)] long StateBytes);

/// <summary>
/// One ragged step for one stage: per sequence its new tokens, where they stand, and the KV blocks that hold its state.
/// </summary>
[GenerateSerializer, Immutable, Alias("slm.stage-request")]
public sealed class StageRequest
{
    /// <summary>New tokens of all sequences, one sequence after the other.</summary>
    [Id(0)]
    public required int[] Tokens { get; init; }

    /// <summary>
    /// Per sequence seven numbers: new tokens, position of the first, length of the block table, output rows, state slot, adapter
    /// slot, tokens of its encoder's input.
    /// </summary>
    [Id(1)]
    public required int[] Sequences { get; init; }

    /// <summary>Block tables of all sequences, one after the other.</summary>
    [Id(2)]
    public required int[] Blocks { get; init; }

    /// <summary>KV blocks to copy before the step: source and target in turn.</summary>
    [Id(5)]
    public int[] Copies { get; init; } = [];

    /// <summary>Slots of recurrent state to copy before the step: source and target in turn.</summary>
    [Id(6)]
    public int[] StateCopies { get; init; } = [];

    /// <summary>True: the tokens are the encoder's input.</summary>
    [Id(7)]
    public bool Encodes { get; init; }

    /// <summary>True: final hidden states instead of logits.</summary>
    [Id(3)]
    public bool Hidden { get; init; }

    /// <summary>Hidden states of the stage before, [tokens, hidden]; empty for the first stage.</summary>
    [Id(4)]
    public Activations Input { get; init; }
}

/// <summary>Row-major values a stage returns.</summary>
/// <param name="Values">[tokens, hidden] from a stage before the last, else [output rows, vocabulary or hidden].</param>
[GenerateSerializer, Immutable, Alias("slm.stage-result")]
public sealed record StageResult([property: Id(0)] Activations Values);

/// <summary>
/// 32-bit floats on their way between stages: the sender's own buffer within a silo, little-endian bytes between silos.
/// A stage's buffer stays as it is until its next step, and a pipeline runs one step at a time.
/// </summary>
/// <param name="Values">The numbers.</param>
[Immutable]
public readonly record struct Activations(ReadOnlyMemory<float> Values);

/// <summary>What <see cref="Activations"/> is between silos.</summary>
[GenerateSerializer, Alias("slm.activation-bytes")]
public struct ActivationBytes
{
    /// <summary>Little-endian 32-bit floats.</summary>
    [Id(0)]
    public byte[]? Bytes { get; set; }
}

/// <summary>Translates between the two.</summary>
[RegisterConverter]
public sealed class ActivationsConverter : IConverter<Activations, ActivationBytes>
{
    /// <inheritdoc/>
    public Activations ConvertFromSurrogate(in ActivationBytes surrogate) =>
        new(MemoryMarshal.Cast<byte, float>(surrogate.Bytes).ToArray());

    /// <inheritdoc/>
    public ActivationBytes ConvertToSurrogate(in Activations value) =>
        new() { Bytes = MemoryMarshal.AsBytes(value.Values.Span).ToArray() };
}
