namespace Slm.Contracts.Grains;

/// <summary>
/// One ragged step for one stage: per sequence its new tokens, where they stand, and the KV blocks that hold its state.
/// </summary>
[GenerateSerializer, Immutable, Alias("slm.stage-request")]
public sealed class StageRequest
{
    /// <summary>New tokens of all sequences, one sequence after the other; empty for stages that start from activations.</summary>
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

    /// <summary>The run it belongs to.</summary>
    [Id(8)]
    public long Epoch { get; init; }

    /// <summary>Number of the step in its run, from 0: stages compute them in this order.</summary>
    [Id(9)]
    public long Number { get; init; }

    /// <summary>
    /// True: the stage behind is with the owner, and its activations go back with the answer. Owners of an earlier version ask for
    /// it, where now steps are passed on.
    /// </summary>
    [Id(10)]
    public bool Returns { get; init; }
}
