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
/// All stages of a model in order, in this process or behind grains. The scheduler runs one step at a time.
/// </summary>
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

    /// <summary>What keys and values are kept as.</summary>
    KvType KvType => KvType.F32;

    /// <summary>Runs one step through every stage.</summary>
    /// <returns>Row-major results for <see cref="StepBatch.OutputRows"/>, valid until the next call.</returns>
    ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken);
}
