namespace Slm.Engine.HuggingFace.Families;

/// <summary>How a family names its experts and their numbers.</summary>
/// <param name="Count">Field with the number of experts.</param>
/// <param name="Width">Field with the width of an expert; null if it is <c>intermediate_size</c>.</param>
/// <param name="Block">Prefix of the block in a layer.</param>
/// <param name="Router">Its router.</param>
/// <param name="Gate">An expert's gate.</param>
/// <param name="Up">An expert's up.</param>
/// <param name="Down">An expert's down.</param>
internal sealed record ExpertNames(string Count, string? Width, string Block, string Router, string Gate, string Up, string Down)
{
    /// <summary>Mixtral.</summary>
    public static ExpertNames Mixtral { get; } = new("num_local_experts", null, "block_sparse_moe.", "gate", "w1", "w3", "w2");

    /// <summary>qwen2_moe and qwen3_moe.</summary>
    public static ExpertNames Qwen { get; } = new("num_experts", "moe_intermediate_size", "mlp.", "gate", "gate_proj", "up_proj", "down_proj");

    /// <summary>Sets the metadata.</summary>
    /// <returns>Number of experts.</returns>
    public int AddSizes(FolderModel model, FolderConfig config)
    {
        var count = config.Int(Count, 1) ?? throw config.Error($"'{Count}' is missing.");
        model.Set("expert_count", count);
        model.Set("expert_used_count", config.RequiredInt("num_experts_per_tok"));
        if (Width is not null)
            model.Set("expert_feed_forward_length", config.RequiredInt(Width));
        return count;
    }

    /// <summary>Adds router and experts of a layer.</summary>
    public void AddLayer(FolderModel model, string blk, string layer, int count)
    {
        model.Matrix(blk + "ffn_gate_inp.weight", $"{layer}{Block}{Router}.weight");
        foreach (var (name, from) in new[] { ("gate", Gate), ("up", Up), ("down", Down) })
            model.Stack($"{blk}ffn_{name}_exps.weight", count, expert => $"{layer}{Block}experts.{expert}.{from}.weight");
    }
}
