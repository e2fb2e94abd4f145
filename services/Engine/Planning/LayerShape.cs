namespace Slm.Engine.Planning;

/// <summary>What one layer costs. Bytes of weights are those the products read (panels), which are also those in memory.</summary>
public sealed record LayerShape
{
    /// <summary>Bytes of all tensors of the layer as the file has them, experts included.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>Bytes of weights that every step reads: all but the experts.</summary>
    public required long DenseBytes { get; init; }

    /// <summary>Multiply-adds of a token with them.</summary>
    public required double DenseMultiplyAdds { get; init; }

    /// <summary>Experts; 0 in a layer without.</summary>
    public int ExpertCount { get; init; }

    /// <summary>Experts that a token visits.</summary>
    public int ExpertsUsed { get; init; }

    /// <summary>Bytes of one expert.</summary>
    public long ExpertBytes { get; init; }

    /// <summary>Multiply-adds of a token in one expert.</summary>
    public double ExpertMultiplyAdds { get; init; }

    /// <summary>Bytes of keys and values of a position.</summary>
    public long KvBytesPerPosition { get; init; }

    /// <summary>Multiply-adds of a token with one position that it sees.</summary>
    public double AttentionMultiplyAdds { get; init; }

    /// <summary>Positions that a token sees at most; 0 if it sees all.</summary>
    public int Window { get; init; }

    /// <summary>Bytes of recurrent state of a sequence.</summary>
    public long StateBytes { get; init; }

    /// <summary>Whether it is a layer of an encoder, which has nothing to do once its text is read.</summary>
    public bool Encodes { get; init; }

    /// <summary>Bytes of all experts.</summary>
    public long ExpertsBytes => ExpertCount * ExpertBytes;

    /// <summary>Bytes of all weights.</summary>
    public long WeightBytes => DenseBytes + ExpertsBytes;

    /// <summary>Positions that a token sees where a sequence holds <paramref name="context"/>.</summary>
    public double Seen(double context) => Window == 0 ? context : Math.Min(context, Window);
}
