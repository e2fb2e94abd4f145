using Slm.Engine.Adapters;
using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>What a pipeline returns for the output rows of a step.</summary>
public enum StepOutput
{
    /// <summary>Logits, [rows, vocabulary].</summary>
    Logits,

    /// <summary>Hidden states after the final norm, [rows, hidden]: for embeddings.</summary>
    Hidden,
}

/// <summary>
/// All stages of a model in order, in this process or behind grains.
/// </summary>
/// <remarks>
/// One caller at a time begins steps, and has at most <see cref="Depth"/> of them in flight: begun, and their tasks not yet
/// ended. Every stage runs the steps in the order in which they were begun, and they end in that order, so that what a
/// step copies or writes is there for all later ones. A sequence is in two steps in flight only if the later one continues it where
/// the earlier one ends, and it has no recurrent state.
/// </remarks>
public interface IPipeline : IAsyncDisposable
{
    /// <summary>Hyper-parameters of the model.</summary>
    ModelConfig Config { get; }

    /// <summary>Positions per KV block.</summary>
    int BlockSize { get; }

    /// <summary>Number of KV blocks every stage holds; block ids are 0 to this, exclusive.</summary>
    int BlockCount { get; }

    /// <summary>Most tokens one step may carry.</summary>
    int MaxStepTokens { get; }

    /// <summary>
    /// Slots for the state of recurrent layers, one per sequence and per snapshot; slot ids are 0 to this, exclusive. 0 where
    /// all state is in KV blocks. See <see cref="StepItem.StateSlot"/>.
    /// </summary>
    int StateSlots => 0;

    /// <summary>Adapters that can be loaded at a time, in slots 1 to this. See <see cref="StepItem.Adapter"/>.</summary>
    int AdapterSlots => 0;

    /// <summary>Copies an adapter into a free slot of every stage; steps may run meanwhile.</summary>
    /// <exception cref="AdapterFormatException">It does not fit.</exception>
    ValueTask LoadAdapterAsync(int slot, LoraAdapter adapter, CancellationToken cancellationToken) =>
        throw new NotSupportedException("This pipeline takes no adapters.");

    /// <summary>Frees a slot; no step may name it any more. Nothing happens if it is empty.</summary>
    ValueTask UnloadAdapterAsync(int slot) => default;

    /// <summary>
    /// Steps that may be in flight at a time, at least 1: a pipeline over several machines works on as many as it has
    /// stages. Constant while a step is in flight.
    /// </summary>
    int Depth => 1;

    /// <summary>What keys and values are kept as.</summary>
    KvType KvType => KvType.F32;

    /// <summary>The residual stream is rounded behind every layer; see <see cref="StageOptions.RoundedResidual"/>.</summary>
    bool RoundedResidual => false;

    /// <summary>Runs one step through every stage.</summary>
    /// <param name="batch">Unchanged until the task has ended.</param>
    /// <param name="output">What to return.</param>
    /// <param name="cancellationToken">Ends the step, whose sequences are then lost.</param>
    /// <returns>
    /// Row-major results for <see cref="StepBatch.OutputRows"/>, valid until the call that is <see cref="Depth"/> calls
    /// later begins: until the next one at depth 1, until the next but one at depth 2.
    /// </returns>
    /// <exception cref="PipelineLostException">A part of the pipeline is gone; see <see cref="RecoverAsync"/>.</exception>
    ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken);

    /// <summary>
    /// Makes the pipeline whole again after a step ended with <see cref="PipelineLostException"/>. Called when no step is in
    /// flight, and none is begun until it has ended.
    /// </summary>
    /// <param name="lost">With what the first such step ended.</param>
    /// <param name="cancellationToken">The pipeline is given up.</param>
    /// <returns>What the stages still hold.</returns>
    /// <exception cref="Exception">It cannot be made whole, now at least; <see cref="PipelineUnavailableException"/> says when it may.</exception>
    ValueTask<PipelineRecovery> RecoverAsync(Exception lost, CancellationToken cancellationToken) => ValueTask.FromException<PipelineRecovery>(lost);
}
