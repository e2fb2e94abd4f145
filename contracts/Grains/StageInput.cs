namespace Slm.Contracts.Grains;

/// <summary>What a stage gets from the one before.</summary>
/// <param name="Epoch">The run it belongs to.</param>
/// <param name="Number">The step it belongs to.</param>
/// <param name="Rows">Hidden states, a row a token.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-input")]
public sealed record StageInput(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Number,
    [property: Id(2)] WireRows Rows);

/// <summary>What a stage answers its owner.</summary>
/// <param name="Values">From the last stage [output rows, vocabulary or hidden]; else empty.</param>
/// <param name="Rows">Activations for the stage behind, where the request has them returned; the receiver passes them on.</param>
/// <param name="ComputeMicroseconds">Time it computed, with <paramref name="Rows"/>.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-result")]
public sealed record StageResult(
    [property: Id(0)] Activations Values,
    [property: Id(1)] WireRows? Rows = null,
    [property: Id(2)] long ComputeMicroseconds = 0);
