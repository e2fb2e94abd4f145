namespace Slm.Contracts.Grains;

/// <summary>
/// A step on its way from stage to stage, with everything that the stage needs. Nobody answers it: the last stage answers the
/// owner, and the owner asks stages whose step takes long (<see cref="IStageGrain.ProgressAsync"/>).
/// </summary>
/// <param name="Request">The step.</param>
/// <param name="Rows">Hidden states, a row a token; null for the first stage.</param>
/// <param name="ComputeMicroseconds">Time that the stages before have computed.</param>
/// <param name="Failure">Why a stage before could not run it: a google.rpc.Status in protobuf's encoding, which goes on to the last stage; null if all is well.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-pass")]
public sealed record StagePass(
    [property: Id(0)] StageRequest Request,
    [property: Id(1)] WireRows? Rows = null,
    [property: Id(2)] long ComputeMicroseconds = 0,
    [property: Id(3)] byte[]? Failure = null);

/// <summary>How far a stage is in its run.</summary>
/// <param name="Epoch">The run; -1 if it has none.</param>
/// <param name="Begun">Steps that it has begun: all that it lacked nothing for.</param>
/// <param name="Passed">Steps that it has passed on.</param>
[GenerateSerializer, Immutable, Alias("slm.stage-progress")]
public sealed record StageProgress(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Begun,
    [property: Id(2)] long Passed);
