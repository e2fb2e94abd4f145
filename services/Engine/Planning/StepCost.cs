namespace Slm.Engine.Planning;

/// <summary>Seconds of one step through a pipeline that is otherwise idle.</summary>
internal sealed record StepCost
{
    /// <summary>Seconds that each stage computes itself.</summary>
    public required IReadOnlyList<double> StageSeconds { get; init; }

    /// <summary>Seconds that each stage waits for experts of its groups, over its layers.</summary>
    public required IReadOnlyList<double> ExpertSeconds { get; init; }

    /// <summary>Seconds of the message behind each stage; of the last one, that with the next tokens to the first.</summary>
    public required IReadOnlyList<double> MessageSeconds { get; init; }

    /// <summary>Seconds that the message behind each stage occupies its link.</summary>
    public required IReadOnlyList<double> LinkSeconds { get; init; }

    /// <summary>Seconds of computing on each host.</summary>
    public required IReadOnlyDictionary<string, double> Busy { get; init; }

    /// <summary>Bytes of activations between machines.</summary>
    public required double WireBytes { get; init; }

    /// <summary>Seconds that the coordinator needs before the next one.</summary>
    public required double TurnSeconds { get; init; }

    /// <summary>Seconds of the whole step.</summary>
    public double Seconds => StageSeconds.Sum() + ExpertSeconds.Sum() + MessageSeconds.Sum() + TurnSeconds;
}
