using Slm.Inference.Cluster;

namespace Slm.Inference.Direct;

/// <summary>Whether silos have direct connections besides Orleans' own.</summary>
/// <param name="IsOn">They have.</param>
/// <param name="Port">Where this one listens; 0: any free port.</param>
/// <param name="Tls">Certificates, as for Orleans' own connections; null where silos do not talk TLS.</param>
internal sealed record DirectOptions(bool IsOn, int Port, SiloTls? Tls = null);
