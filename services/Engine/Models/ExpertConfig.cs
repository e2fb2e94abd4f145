namespace Slm.Engine.Models;

/// <summary>How scores of experts become weights.</summary>
public enum ExpertGating
{
    /// <summary>Softmax over all experts.</summary>
    Softmax = 1,

    /// <summary>Sigmoid of each score.</summary>
    Sigmoid = 2,
}

/// <summary>Hyper-parameters of mixture-of-experts layers.</summary>
public sealed record ExpertConfig
{
    /// <summary>Most experts that are believed.</summary>
    public const int MaxCount = 4096;

    /// <summary>Experts of a layer.</summary>
    public required int Count { get; init; }

    /// <summary>Experts that a token visits: those with the largest scores.</summary>
    public required int UsedCount { get; init; }

    /// <summary>Width of an expert.</summary>
    public required int FeedForwardSize { get; init; }

    /// <summary>Width of the expert that every token visits; 0 without one.</summary>
    public int SharedFeedForwardSize { get; init; }

    /// <summary>How scores become weights.</summary>
    public ExpertGating Gating { get; init; } = ExpertGating.Softmax;

    /// <summary>Whether the weights of the chosen experts are scaled to sum to 1.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Reads <c>{architecture}.expert_*</c>; null if the model has no experts.</summary>
    /// <param name="keys">Keys of the architecture.</param>
    /// <param name="feedForward">Width of an expert where the file does not say.</param>
    /// <param name="shared">Whether this architecture has a shared expert.</param>
    /// <param name="normalize">Whether weights are scaled where the file does not say.</param>
    /// <exception cref="Formats.ModelFormatException">A key is missing or absurd.</exception>
    internal static ExpertConfig? Read(GgufKeys keys, int feedForward, bool shared, bool normalize)
    {
        if (keys.Int("expert_count", 0, MaxCount) is not { } count || count == 0)
            return null;
        var gating = keys.Int("expert_gating_func", 0, int.MaxValue) switch
        {
            null or 0 or 1 => ExpertGating.Softmax,
            2 => ExpertGating.Sigmoid,
            var other => throw keys.Error($"'{keys.Key("expert_gating_func")}' is {other}; 1 (softmax) and 2 (sigmoid) are supported."),
        };
        return new ExpertConfig
        {
            Count = count,
            UsedCount = keys.RequiredInt("expert_used_count", 1, count),
            FeedForwardSize = keys.Int("expert_feed_forward_length", 1, 1 << 20) ?? feedForward,
            SharedFeedForwardSize = shared ? keys.Int("expert_shared_feed_forward_length", 1, 1 << 20) ?? feedForward : 0,
            Gating = gating,
            Normalize = keys.Flag("expert_weights_norm") ?? normalize,
        };
    }
}
