using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>A place in a pipeline and the stage that fills it now.</summary>
/// <param name="Spec">What is to be there.</param>
/// <param name="Attempt">How many stages have filled it before.</param>
/// <param name="Key">Key of the stage's grain.</param>
/// <param name="Grain">The stage.</param>
/// <param name="Info">What it holds, and where.</param>
internal sealed record StageSlot(StageSpec Spec, int Attempt, string Key, IStageGrain Grain, StageInfo Info);
