namespace Slm.Engine.Sampling;

/// <summary>Logits that are no distribution: NaN, positive infinity, or nothing finite.</summary>
public sealed class InvalidLogitsException(string message) : Exception(message);
