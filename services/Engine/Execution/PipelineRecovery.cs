namespace Slm.Engine.Execution;

/// <summary>What a pipeline holds after it was made whole.</summary>
/// <param name="StateLost">
/// True: no KV block and no slot of recurrent state holds anything any more; adapters that were loaded are loaded again, in
/// their slots. False: all that earlier steps have computed is intact, and the steps that were lost may be repeated; what
/// those would have written, recurrent state of their sequences included, is undefined.
/// </param>
public readonly record struct PipelineRecovery(bool StateLost);
