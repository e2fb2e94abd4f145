using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>A step on its way.</summary>
internal sealed class FlyingStep(StageSlot[] slots, long started, Task before)
{
    public StageSlot[] Slots { get; } = slots;

    public long Started { get; } = started;

    public Task Before { get; } = before;

    public Task<StageResult>[] Calls { get; } = new Task<StageResult>[slots.Length];

    public TaskCompletionSource<ReadOnlyMemory<float>> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
