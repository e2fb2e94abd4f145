using System.Globalization;
using System.Text.RegularExpressions;

namespace Slm.Engine.Adapters;

/// <summary>The matrix of a model that a PEFT module is.</summary>
/// <param name="Tensor">Its GGUF name.</param>
/// <param name="Expert">The expert; -1 for a matrix of its own.</param>
/// <param name="Rotated">Its rows are heads of queries or keys.</param>
internal readonly record struct PeftTarget(string Tensor, int Expert, bool Rotated);

/// <summary>Modules of Hugging Face's decoders by the names of GGUF files.</summary>
internal static partial class PeftNames
{
    /// <summary>The architectures whose modules are named alike. Others change weights when they are converted, or have other modules.</summary>
    public static readonly string[] Architectures =
        ["gemma3", "llama", "minicpm", "minicpm3", "phi3", "plm", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "smallthinker"];

    private static readonly Dictionary<string, string> Layers = new(StringComparer.Ordinal)
    {
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.q_a_proj"] = "attn_q_a",
        ["self_attn.q_b_proj"] = "attn_q_b",
        ["self_attn.kv_a_proj_with_mqa"] = "attn_kv_a_mqa",
        ["self_attn.kv_b_proj"] = "attn_kv_b",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.gate"] = "ffn_gate_inp",
        ["block_sparse_moe.gate"] = "ffn_gate_inp",
        ["block_sparse_moe.primary_router"] = "ffn_gate_inp",
        ["mlp.shared_expert.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_expert.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_expert.down_proj"] = "ffn_down_shexp",
        ["mlp.shared_expert_gate"] = "ffn_gate_inp_shexp",
    };

    private static readonly Dictionary<string, string> Experts = new(StringComparer.Ordinal)
    {
        ["gate_proj"] = "ffn_gate_exps",
        ["up_proj"] = "ffn_up_exps",
        ["down_proj"] = "ffn_down_exps",
        ["w1"] = "ffn_gate_exps",
        ["w3"] = "ffn_up_exps",
        ["w2"] = "ffn_down_exps",
        ["gate"] = "ffn_gate_exps",
        ["up"] = "ffn_up_exps",
        ["down"] = "ffn_down_exps",
    };

    /// <summary>The matrix of a module such as <c>model.layers.0.self_attn.q_proj</c>; null if it is none.</summary>
    public static PeftTarget? Find(string module)
    {
        if (module is "lm_head" || module.EndsWith(".lm_head", StringComparison.Ordinal))
            return new PeftTarget("output.weight", -1, Rotated: false);
        if (module.EndsWith("embed_tokens", StringComparison.Ordinal))
            return new PeftTarget("token_embd.weight", -1, Rotated: false);
        if (Layer().Match(module) is not { Success: true } layer)
            return null;
        var blk = $"blk.{layer.Groups[1].Value}.";
        var part = layer.Groups[2].Value;
        if (Layers.TryGetValue(part, out var name))
            return new PeftTarget($"{blk}{name}.weight", -1, name is "attn_q" or "attn_k");
        return Expert().Match(part) is { Success: true } expert && Experts.TryGetValue(expert.Groups[2].Value, out name)
            ? new PeftTarget($"{blk}{name}.weight", int.Parse(expert.Groups[1].Value, CultureInfo.InvariantCulture), Rotated: false)
            : null;
    }

    [GeneratedRegex(@"(?:^|\.)layers\.([0-9]{1,5})\.(.+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Layer();

    [GeneratedRegex(@"^(?:mlp|block_sparse_moe)\.experts\.([0-9]{1,5})\.([a-z0-9_]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Expert();
}
