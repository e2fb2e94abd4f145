namespace Slm.Engine.HuggingFace.Families;

/// <summary>Mamba-2 of mamba2 and falcon-h1.</summary>
internal static class MambaTensors
{
    private const int MaxWidth = 1 << 24;

    /// <summary>Sets <c>ssm.*</c>.</summary>
    /// <returns>Elements of B, or of C, of all groups.</returns>
    public static int AddSizes(FolderModel model, int convolution, int inner, int state, int heads, int groups)
    {
        if ((long)groups * state > MaxWidth || inner > MaxWidth || heads > MaxWidth)
            throw model.Config.Error($"{heads} heads with {inner} elements and {groups} groups with {state} are too many.");
        model.Set("ssm.conv_kernel", convolution);
        model.Set("ssm.inner_size", inner);
        model.Set("ssm.state_size", state);
        model.Set("ssm.time_step_rank", heads);
        model.Set("ssm.group_count", groups);
        return groups * state;
    }

    /// <summary>Refuses steps that are clamped.</summary>
    public static void RequireFreeSteps(FolderConfig config)
    {
        if (config.Numbers("time_step_limit") is { } limit && limit is not [0, double.PositiveInfinity])
            throw config.Error($"'time_step_limit' is [{string.Join(", ", limit)}]; only 0 to infinity is supported.");
    }

    /// <summary>All of a layer but the projections.</summary>
    public static void AddLayer(FolderModel model, string blk, string from, int convolution, int channels, int heads, int inner, int groups)
    {
        model.Vector(blk + "ssm_conv1d.weight", from + "conv1d.weight", shape: [convolution, channels]);
        if (model.Has(from + "conv1d.bias"))
            model.Vector(blk + "ssm_conv1d.bias", from + "conv1d.bias");
        model.Vector(blk + "ssm_dt.bias", from + "dt_bias");
        model.Vector(blk + "ssm_a", from + "A_log", a => -MathF.Exp(a), shape: [1, heads]);
        model.Vector(blk + "ssm_d", from + "D", shape: [1, heads]);
        if (model.Has(from + "norm.weight"))
            model.Vector(blk + "ssm_norm.weight", from + "norm.weight", shape: [groups > 0 ? inner / groups : inner, groups]);
    }
}
