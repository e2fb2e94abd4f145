namespace Slm.Engine.Planning;

/// <summary>What the cost model says of a placement. Seconds and bytes are for the context that the terms name.</summary>
public sealed record PlacementPrediction
{
    private readonly Func<int, double> _decodeAt;

    /// <param name="decodeAt">Decoded tokens per second of a number of streams.</param>
    internal PlacementPrediction(Func<int, double> decodeAt) => _decodeAt = decodeAt;

    /// <summary>Seconds from one token of a single stream to the next.</summary>
    public required double SecondsPerToken { get; init; }

    /// <summary>Tokens per second of a single stream.</summary>
    public double DecodeTokensPerSecond => 1 / SecondsPerToken;

    /// <summary>Prompt tokens per second over all replicas, while prompts of that length keep coming.</summary>
    public required double PrefillTokensPerSecond { get; init; }

    /// <summary>Seconds that each stage of the first replica computes for one token, without what travels.</summary>
    public required IReadOnlyList<double> StepSeconds { get; init; }

    /// <summary>Bytes between machines for one token: activations between stages, and to and from experts.</summary>
    public required double WireBytesPerToken { get; init; }

    /// <summary>Bytes taken of each machine that is used.</summary>
    public required IReadOnlyDictionary<string, long> MemoryBytes { get; init; }

    /// <summary>What limits the speed, and by how much: a sentence.</summary>
    public required string Bottleneck { get; init; }

    /// <summary>Decoded tokens per second of <paramref name="streams"/> sequences together, spread evenly over the replicas.</summary>
    public double DecodeTokensPerSecondAt(int streams)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(streams, 1);
        return _decodeAt(streams);
    }
}
