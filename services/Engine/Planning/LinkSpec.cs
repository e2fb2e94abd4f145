namespace Slm.Engine.Planning;

/// <summary>What a message between two machines costs beside its software.</summary>
/// <param name="LatencySeconds">Seconds until the first byte arrives, one way.</param>
/// <param name="BytesPerSecond">Bytes per second from then on.</param>
/// <param name="BusyLatencySeconds">The latency where messages follow each other within a fraction of a millisecond; null: no other.</param>
public readonly record struct LinkSpeed(double LatencySeconds, double BytesPerSecond, double? BusyLatencySeconds = null)
{
    /// <summary>Seconds that a message of <paramref name="bytes"/> is under way.</summary>
    public double Seconds(double bytes) => LatencySeconds + (bytes / BytesPerSecond);

    /// <summary>The same for one that follows another closely.</summary>
    public double BusySeconds(double bytes) => (BusyLatencySeconds ?? LatencySeconds) + (bytes / BytesPerSecond);
}

/// <summary>A measured link; it serves for the other direction too where that was not measured.</summary>
/// <param name="From">Machine that sends.</param>
/// <param name="To">Machine that receives.</param>
/// <param name="LatencySeconds">Seconds until the first byte arrives, one way.</param>
/// <param name="BytesPerSecond">Bytes per second from then on.</param>
/// <param name="BusyLatencySeconds">See <see cref="LinkSpeed"/>.</param>
public sealed record LinkSpec(string From, string To, double LatencySeconds, double BytesPerSecond, double? BusyLatencySeconds = null)
{
    /// <summary>Its speed alone.</summary>
    public LinkSpeed Speed => new(LatencySeconds, BytesPerSecond, BusyLatencySeconds);
}
