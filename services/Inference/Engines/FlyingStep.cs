using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>A step on its way. Who awaits its end goes on from the thread that ends it, and does little there.</summary>
internal sealed class FlyingStep(StageSlot[] slots, long epoch, long number, long started, Task before)
{
    public StageSlot[] Slots { get; } = slots;

    public long Epoch { get; } = epoch;

    public long Number { get; } = number;

    public long Started { get; } = started;

    public Task Before { get; } = before;

    public Task<StageResult>[] Calls { get; } = new Task<StageResult>[slots.Length];

    public TaskCompletionSource<ReadOnlyMemory<float>> Done { get; } = new();

    /// <summary>True if a stage elsewhere returns its activations for the stage behind, which is here.</summary>
    public bool Returns(int stage) => Slots[stage].Here is null && stage + 1 < Slots.Length && Slots[stage + 1].Here is not null;
}
