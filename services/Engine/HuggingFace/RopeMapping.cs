namespace Slm.Engine.HuggingFace;

/// <summary>
/// Rotary positions of a folder: <c>rope_theta</c> with <c>rope_scaling</c>, or both in <c>rope_parameters</c>, as metadata
/// and, for scaling by frequency, as tensors.
/// </summary>
internal static class RopeMapping
{
    /// <summary>Maps them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="config">The fields that have them.</param>
    /// <param name="dimensions">Elements of a head that are rotated.</param>
    /// <param name="longRope">Whether the architecture knows LongRoPE.</param>
    /// <param name="layers">Name of the layers' kind where kinds of layers have parameters of their own.</param>
    public static void Add(FolderModel model, FolderConfig config, int dimensions, bool longRope = false, string? layers = null)
    {
        var parameters = config.Object("rope_parameters");
        if (layers is not null && parameters?.Object(layers) is { } own)
            parameters = own;
        model.Set("rope.freq_base", parameters?.Number("rope_theta") ?? config.Number("rope_theta") ?? 10000);
        model.Set("rope.dimension_count", dimensions);
        if ((config.Object("rope_scaling") ?? parameters) is not { } scaling)
            return;
        switch (scaling.Text("rope_type") ?? scaling.Text("type") ?? "default")
        {
            // It changes nothing up to the context that the model states.
            case "default" or "dynamic":
                break;
            case "linear":
                model.Set("rope.scaling.type", "linear");
                model.Set("rope.scaling.factor", scaling.RequiredNumber("factor"));
                break;
            case "llama3":
                AddByFrequency(model, config, scaling, dimensions);
                break;
            case "yarn":
                AddYarn(model, config, scaling);
                break;
            case "longrope" or "su" when longRope:
                AddLong(model, config, scaling, dimensions);
                break;
            case var other:
                throw scaling.Error($"the rope_type '{other}' is not supported for this kind of model. Supported: default, dynamic, linear, llama3, yarn{(longRope ? ", longrope" : "")}.");
        }
    }

    /// <summary>Llama 3.1: slow pairs are divided by the factor, fast ones stay, those between are mixed.</summary>
    private static void AddByFrequency(FolderModel model, FolderConfig config, FolderConfig scaling, int dimensions)
    {
        var theta = scaling.Number("rope_theta") ?? config.Number("rope_theta") ?? 10000;
        var factor = scaling.RequiredNumber("factor");
        var (low, high) = (scaling.RequiredNumber("low_freq_factor"), scaling.RequiredNumber("high_freq_factor"));
        double trained = scaling.RequiredInt("original_max_position_embeddings");
        if (!(factor >= 1) || !(high > low) || !(low > 0))
            throw scaling.Error($"'factor' is {factor}, 'low_freq_factor' {low}, and 'high_freq_factor' {high}; a factor from 1 on and 0 < low < high are expected.");
        model.Values("rope_freqs.weight", [dimensions / 2], () =>
        {
            var divisors = new float[dimensions / 2];
            for (var i = 0; i < divisors.Length; i++)
            {
                var turns = trained / (2 * Math.PI * Math.Pow(theta, 2.0 * i / dimensions));
                var fast = Math.Clamp((turns - low) / (high - low), 0, 1);
                divisors[i] = (float)(1 / (((1 - fast) / factor) + fast));
            }

            return divisors;
        });
    }

    private static void AddYarn(FolderModel model, FolderConfig config, FolderConfig scaling)
    {
        var factor = scaling.RequiredNumber("factor");
        if (!(factor >= 1))
            throw scaling.Error($"'factor' is {factor}; it must be at least 1 with YaRN.");
        foreach (var field in new[] { "mscale", "mscale_all_dim" })
        {
            if (scaling.Has(field))
                throw scaling.Error($"'{field}' is not supported for this kind of model.");
        }

        if (scaling.Flag("truncate") is false)
            throw scaling.Error("'truncate' is false, which is not supported.");
        model.Set("rope.scaling.type", "yarn");
        model.Set("rope.scaling.factor", factor);
        model.Set("rope.scaling.original_context_length", scaling.Int("original_max_position_embeddings", 1) ?? config.RequiredInt("max_position_embeddings"));
        model.Set("rope.scaling.yarn_beta_fast", scaling.Number("beta_fast"));
        model.Set("rope.scaling.yarn_beta_slow", scaling.Number("beta_slow"));

        // A stated factor replaces YaRN's own, which is multiplied in where angles are computed.
        if (scaling.Number("attention_factor") is { } attention)
            model.Set("rope.scaling.attn_factor", attention / (1 + (0.1 * Math.Log(factor))));
    }

    /// <summary>Divisors for contexts as trained and for longer ones, and a factor on cos and sin.</summary>
    private static void AddLong(FolderModel model, FolderConfig config, FolderConfig scaling, int dimensions)
    {
        var context = config.RequiredInt("max_position_embeddings");
        var trained = config.Int("original_max_position_embeddings", 1) ?? scaling.Int("original_max_position_embeddings", 1) ?? context;
        foreach (var (field, name) in new[] { ("long_factor", "rope_factors_long.weight"), ("short_factor", "rope_factors_short.weight") })
        {
            var factors = scaling.Numbers(field) ?? throw scaling.Error($"'{field}' is missing.");
            if (factors.Length != dimensions / 2 || factors.Any(f => !(f > 0)))
                throw scaling.Error($"'{field}' has {factors.Length} numbers; {dimensions / 2} above 0 are expected, one for each rotated pair.");
            model.Values(name, [factors.Length], () => [.. factors.Select(f => (float)f)]);
        }

        model.Set("rope.scaling.type", "longrope");
        model.Set("rope.scaling.original_context_length", trained);
        var ratio = scaling.Number("factor") is { } factor && config.Int("original_max_position_embeddings") is null ? factor : (double)context / trained;
        model.Set("rope.scaling.attn_factor", scaling.Number("attention_factor") ?? (ratio <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(ratio) / Math.Log(trained)))));
    }
}
