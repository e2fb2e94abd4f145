namespace Slm.Engine.Execution;

/// <summary>A step could not be completed because a part of the pipeline is gone. Its requests need not fail: see <see cref="IPipeline.RecoverAsync"/>.</summary>
public sealed class PipelineLostException(string message, Exception? inner = null) : Exception(message, inner);
