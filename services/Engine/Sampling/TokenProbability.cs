namespace Slm.Engine.Sampling;

/// <summary>A token and its natural log-probability.</summary>
public readonly record struct TokenProbability(int TokenId, float LogProb);
