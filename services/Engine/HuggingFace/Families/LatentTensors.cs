namespace Slm.Engine.HuggingFace.Families;

/// <summary>Latent attention of minicpm3 and plm.</summary>
internal static class LatentTensors
{
    /// <summary>Ranks and sizes of heads.</summary>
    /// <returns>Elements of a head that are rotated.</returns>
    public static int AddSizes(FolderModel model, FolderConfig config)
    {
        var rotated = config.RequiredInt("qk_rope_head_dim");
        model.Set("attention.key_length", config.RequiredInt("qk_nope_head_dim") + rotated);
        model.Set("attention.value_length", config.Int("v_head_dim", 1) ?? config.RequiredInt("hidden_size") / config.RequiredInt("num_attention_heads"));
        model.Set("attention.kv_lora_rank", config.RequiredInt("kv_lora_rank"));
        return rotated;
    }

    /// <summary>Tensors of a layer.</summary>
    public static void AddLayer(FolderModel model, string blk, string from, bool latentQueries)
    {
        if (latentQueries)
        {
            model.Linear(blk + "attn_q_a", from + "q_a_proj");
            model.Vector(blk + "attn_q_a_norm.weight", from + "q_a_layernorm.weight");
            model.Linear(blk + "attn_q_b", from + "q_b_proj");
        }
        else
        {
            model.Linear(blk + "attn_q", from + "q_proj");
        }

        model.Linear(blk + "attn_kv_a_mqa", from + "kv_a_proj_with_mqa");
        model.Vector(blk + "attn_kv_a_norm.weight", from + "kv_a_layernorm.weight");
        model.Linear(blk + "attn_kv_b", from + "kv_b_proj");
        model.Linear(blk + "attn_output", from + "o_proj");
    }
}
