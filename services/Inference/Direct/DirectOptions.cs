namespace Slm.Inference.Direct;

/// <summary>Whether silos have direct connections besides Orleans' own.</summary>
/// <param name="IsOn">They have. Not where silos talk TLS, which direct connections do not.</param>
/// <param name="Port">Where this one listens; 0: any free port.</param>
internal sealed record DirectOptions(bool IsOn, int Port);
