namespace Slm.Engine.Fetching;

/// <summary>How far a transfer or a hash has come.</summary>
/// <param name="Done">Bytes that are there.</param>
/// <param name="All">Bytes that are wanted.</param>
public readonly record struct FetchProgress(long Done, long All);
