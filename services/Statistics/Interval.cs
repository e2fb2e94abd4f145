namespace Slm.Statistics;

/// <summary>An estimate and the bounds of its interval.</summary>
/// <param name="Estimate">The figure of the sample itself.</param>
/// <param name="Lower">Lower bound.</param>
/// <param name="Upper">Upper bound.</param>
public readonly record struct Interval(double Estimate, double Lower, double Upper);
