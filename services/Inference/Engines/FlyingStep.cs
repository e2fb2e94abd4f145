using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>A step on its way. Who awaits its end goes on from the thread that ends it, and does little there.</summary>
/// <param name="slots">The stages.</param>
/// <param name="epoch">The run.</param>
/// <param name="number">Its number in the run.</param>
/// <param name="bytes">Of its activations, as floats.</param>
/// <param name="started">When it began.</param>
/// <param name="before">Ends with the step before it; null if none was under way.</param>
internal sealed class FlyingStep(StageSlot[] slots, long epoch, long number, long bytes, long started, Task? before)
{
    public StageSlot[] Slots { get; } = slots;

    public long Epoch { get; } = epoch;

    public long Number { get; } = number;

    public long Started { get; } = started;

    public long Bytes { get; } = bytes;

    public Task Before { get; } = before ?? Task.CompletedTask;

    /// <summary>It waited for no other step.</summary>
    public bool IsAlone { get; } = before is null;

    /// <summary>It is one token of one sequence.</summary>
    public bool IsOneToken { get; set; }

    /// <summary>The stages pass it on; else it goes to each of them, because one is of an earlier version.</summary>
    public bool IsPassed { get; } = slots.Length > 1 && Array.TrueForAll(slots, slot => slot.Info.Passes);

    /// <summary>Stages whose next one is on another silo.</summary>
    public IReadOnlyCollection<int> Remote => [.. Enumerable.Range(0, Slots.Length - 1).Where(s => Slots[s].Info.Silo != Slots[s + 1].Info.Silo)];

    /// <summary>The stage that lacks it though it was handed on to it; -1: none. And since when.</summary>
    public (int Stage, long Since) Missing { get; set; } = (-1, 0);

    /// <summary>Answers of the stages; only the last one's if it is passed on.</summary>
    public Task<StageResult>[] Calls { get; } = new Task<StageResult>[slots.Length];

    public TaskCompletionSource<ReadOnlyMemory<float>> Done { get; } = new();
}
