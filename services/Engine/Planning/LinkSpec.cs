namespace Slm.Engine.Planning;

/// <summary>What a message between two machines costs beside its software.</summary>
/// <param name="LatencySeconds">Seconds until the first byte arrives, one way.</param>
/// <param name="BytesPerSecond">Bytes per second from then on.</param>
public readonly record struct LinkSpeed(double LatencySeconds, double BytesPerSecond)
{
    /// <summary>Seconds that a message of <paramref name="bytes"/> is under way.</summary>
    public double Seconds(double bytes) => LatencySeconds + (bytes / BytesPerSecond);
}

/// <summary>A measured link; it serves for the other direction too where that was not measured.</summary>
/// <param name="From">Machine that sends.</param>
/// <param name="To">Machine that receives.</param>
/// <param name="LatencySeconds">Seconds until the first byte arrives, one way.</param>
/// <param name="BytesPerSecond">Bytes per second from then on.</param>
public sealed record LinkSpec(string From, string To, double LatencySeconds, double BytesPerSecond)
{
    /// <summary>Its speed alone.</summary>
    public LinkSpeed Speed => new(LatencySeconds, BytesPerSecond);
}
