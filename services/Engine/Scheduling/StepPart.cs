using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <summary>The share of a sequence in a step.</summary>
/// <param name="Sequence">Whose tokens.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Count">Number of tokens.</param>
/// <param name="Outputs">How many of the last ones give an output row.</param>
/// <param name="Proposed">How many of the last ones are only proposed.</param>
internal readonly record struct PlannedItem(Sequence Sequence, int Start, int Count, int Outputs, int Proposed);

/// <summary>One call of the pipeline: the batch and whose it is, in the same order.</summary>
internal sealed class StepPart
{
    public StepBatch Batch { get; } = new();

    public List<PlannedItem> Items { get; } = [];

    public StepOutput Output { get; set; }

    public void Clear()
    {
        Batch.Clear();
        Items.Clear();
    }
}
