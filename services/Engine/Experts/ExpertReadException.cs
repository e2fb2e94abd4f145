namespace Slm.Engine.Experts;

/// <summary>An expert could not be read from the model's file; the step that needed it failed, and a later one tries again.</summary>
public sealed class ExpertReadException(string message, Exception inner) : IOException(message, inner);
