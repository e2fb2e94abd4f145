using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>The widest rows that any layer of a model makes.</summary>
internal readonly struct StepWidths
{
    public StepWidths(ModelConfig config)
    {
        var experts = Math.Max(config.Experts?.FeedForwardSize ?? 0, config.Experts?.SharedFeedForwardSize ?? 0);
        Input = Math.Max(Math.Max(config.HiddenSize, config.FeedForwardSize), experts);
        Input = Math.Max(Input, config.Ssm?.InnerSize ?? 0);
        if (config.Latent is { } latent)
            Input = Math.Max(Input, Math.Max(Math.Max(latent.QueryRank, latent.KeyValueRank), Math.Max(latent.PlainSize, (long)config.HeadCount * latent.ValueSize)));
        Group = 1;
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            if (config.StateOf(layer).Attention is not { } shape)
                continue;
            Queries = Math.Max(Queries, (long)shape.Heads * shape.KeySize);
            Keys = Math.Max(Keys, (long)shape.KeyValueHeads * shape.KeySize);
            Values = Math.Max(Values, (long)shape.KeyValueHeads * shape.ValueSize);
            Attended = Math.Max(Attended, (long)shape.Heads * shape.ValueSize);
            KeyValueHeads = Math.Max(KeyValueHeads, shape.KeyValueHeads);
            Group = Math.Max(Group, shape.Group);
        }

        if (config.Latent is null)
            Input = Math.Max(Input, Attended);
    }

    /// <summary>Input of a product.</summary>
    public long Input { get; }

    /// <summary>All query heads.</summary>
    public long Queries { get; }

    /// <summary>All keys of a position.</summary>
    public long Keys { get; }

    /// <summary>All values of a position.</summary>
    public long Values { get; }

    /// <summary>What all query heads gather.</summary>
    public long Attended { get; }

    /// <summary>Heads of keys and values.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Query heads that share one head of keys and values.</summary>
    public int Group { get; }
}
