namespace Slm.Engine.Models;

/// <summary>Rotary positions from <c>{architecture}.rope.*</c>, with the defaults that published files rely on.</summary>
internal static class RopeReader
{
    /// <summary>Longest context that is believed.</summary>
    public const int MaxContext = 1 << 26;

    /// <summary>Reads the keys.</summary>
    /// <param name="keys">Keys of the architecture.</param>
    /// <param name="headSize">Elements of a head, all of which are rotated by default.</param>
    /// <param name="contextLength">The model's context, YaRN's original one by default.</param>
    /// <param name="neoX">Whether this architecture rotates halves instead of neighbouring pairs.</param>
    /// <param name="longRope">Whether the architecture knows LongRoPE.</param>
    /// <exception cref="Formats.ModelFormatException">A key is absurd or asks for an unknown kind of scaling.</exception>
    public static RopeConfig Read(GgufKeys keys, int headSize, int contextLength, bool neoX, bool longRope = false)
    {
        var dimensions = keys.Int("rope.dimension_count", 2, headSize) ?? headSize;
        if (dimensions % 2 != 0)
            throw keys.Error($"'{keys.Key("rope.dimension_count")}' is {dimensions}; it must be even.");
        // A factor alone means linear scaling, and a factor of 0 means none; old files have only scale_linear.
        var factor = keys.Float("rope.scaling.factor", 0, 1e6) ?? keys.Float("rope.scale_linear", 0, 1e6) ?? 0;
        var scaling = keys.Text("rope.scaling.type") switch
        {
            // LongRoPE's factors are tensors, which the architecture reads.
            "longrope" when longRope => RopeScaling.None,
            "none" => RopeScaling.None,
            null or "linear" => factor is 0 or 1 ? RopeScaling.None : RopeScaling.Linear,
            "yarn" => RopeScaling.Yarn,
            var other => throw keys.Error($"'{keys.Key("rope.scaling.type")}' is '{other}'; none, linear{(longRope ? ", yarn and longrope" : " and yarn")} are supported."),
        };
        if (factor == 0 || scaling == RopeScaling.None)
            factor = 1;
        if (factor < (scaling == RopeScaling.Yarn ? 1 : 1e-6f))
            throw keys.Error($"'{keys.Key("rope.scaling.factor")}' is {factor}; it must be at least {(scaling == RopeScaling.Yarn ? "1 with YaRN" : "0.000001")}.");
        return new RopeConfig
        {
            Base = keys.Float("rope.freq_base", 1.0001, 1e12) ?? 10000,
            Dimensions = dimensions,
            NeoX = neoX,
            Scaling = scaling,
            Factor = factor,
            OriginalContextLength = keys.Int("rope.scaling.original_context_length", 1, MaxContext) ?? contextLength,
            AttentionFactor = keys.Float("rope.scaling.attn_factor", 1e-3, 1e3) ?? keys.Float("rope.scaling.yarn_attn_factor", 1e-3, 1e3) ?? 1,
            YarnMix = YarnMix(keys),
            BetaFast = keys.Float("rope.scaling.yarn_beta_fast", 1e-6, 1e6) ?? keys.Float("rope.scaling.beta_fast", 1e-6, 1e6) ?? 32,
            BetaSlow = keys.Float("rope.scaling.yarn_beta_slow", 1e-6, 1e6) ?? keys.Float("rope.scaling.beta_slow", 1e-6, 1e6) ?? 1,
        };
    }

    /// <summary>Negative values say that the usual 1 is meant.</summary>
    private static float YarnMix(GgufKeys keys) =>
        (keys.Float("rope.scaling.yarn_ext_factor", -1, 1) ?? keys.Float("rope.scaling.ext_factor", -1, 1)) is { } mix and >= 0 ? mix : 1;
}
