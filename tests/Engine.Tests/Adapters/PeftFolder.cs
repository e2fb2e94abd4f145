using System.Globalization;
using System.Runtime.InteropServices;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Adapters;

/// <summary>The same adapters as PEFT writes them, in a temporary folder.</summary>
internal sealed class PeftFolder : IDisposable
{
    public PeftFolder(string config, SafetensorsWriter? tensors)
    {
        if (config.Length > 0)
            File.WriteAllText(System.IO.Path.Combine(Path, "adapter_config.json"), config);
        if (tensors is not null)
            File.WriteAllBytes(System.IO.Path.Combine(Path, "adapter_model.safetensors"), tensors.ToArray());
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("slm-peft-").FullName;

    public static string Config(double rank, double alpha, string more = "") => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"peft_type": "LORA", "r": {{rank}}, "lora_alpha": {{alpha}}, "bias": "none", "target_modules": ["q_proj"], "modules_to_save": null, "use_dora": false, "use_rslora": false{{more}}}""");

    /// <summary>Pairs under the names of Hugging Face's modules, with rows of rotated heads in its order.</summary>
    public static SafetensorsWriter Tensors(ModelFile model, IEnumerable<LoraNumbers> pairs, Func<string, string>? rename = null)
    {
        var writer = new SafetensorsWriter();
        foreach (var pair in pairs)
        {
            var module = Module(model.Config.Architecture, pair.Tensor);
            if (pair.Tensor == "token_embd.weight")
            {
                // [rank, vocabulary] and [hidden, rank].
                Add(writer, $"base_model.model.{module}.lora_embedding_A", [pair.Rank, pair.Rows], [.. Enumerable.Range(0, pair.Rank * pair.Rows).Select(i => pair.B[(i % pair.Rows * pair.Rank) + (i / pair.Rows)])]);
                Add(writer, $"base_model.model.{module}.lora_embedding_B", [pair.Columns, pair.Rank], [.. Enumerable.Range(0, pair.Columns * pair.Rank).Select(i => pair.A[(i % pair.Rank * pair.Columns) + (i / pair.Rank)])]);
                continue;
            }

            for (var e = 0; e < pair.Experts; e++)
            {
                var name = "base_model.model." + module.Replace("{e}", e.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
                var b = pair.B.AsSpan(e * pair.Rows * pair.Rank, pair.Rows * pair.Rank).ToArray();
                if (model.Config.Architecture is "llama" or "minicpm" && (pair.Tensor.Contains("attn_q", StringComparison.Ordinal) || pair.Tensor.Contains("attn_k", StringComparison.Ordinal)))
                    b = Unrotate(b, pair.Rows, pair.Rank, model.Config.HeadSize);
                Add(writer, name + ".lora_A.weight", [pair.Rank, pair.Columns], pair.A.AsSpan(e * pair.Rank * pair.Columns, pair.Rank * pair.Columns).ToArray(), rename);
                Add(writer, name + ".lora_B.weight", [pair.Rows, pair.Rank], b, rename);
            }
        }

        return writer;
    }

    public static void Add(SafetensorsWriter writer, string name, long[] shape, float[] values, Func<string, string>? rename = null) =>
        writer.Add(rename?.Invoke(name) ?? name, "F32", shape, MemoryMarshal.AsBytes<float>(values).ToArray());

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <summary>Element (2j + half) of a head comes from (half, j).</summary>
    private static float[] Unrotate(float[] b, int rows, int rank, int headSize)
    {
        var hf = new float[b.Length];
        for (var head = 0; head < rows / headSize; head++)
        {
            for (var half = 0; half < 2; half++)
            {
                for (var j = 0; j < headSize / 2; j++)
                    Array.Copy(b, ((head * headSize) + (2 * j) + half) * rank, hf, ((head * headSize) + (half * headSize / 2) + j) * rank, rank);
            }
        }

        return hf;
    }

    private static string Module(string architecture, string tensor)
    {
        if (tensor == "token_embd.weight")
            return "model.embed_tokens";
        if (tensor == "output.weight")
            return "lm_head";
        var parts = tensor.Split('.');
        var experts = architecture switch { "llama" or "smallthinker" => "block_sparse_moe.", _ => "mlp." };
        return $"model.layers.{parts[1]}." + parts[2] switch
        {
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_qkv" => "self_attn.qkv_proj",
            "attn_kv_a_mqa" => "self_attn.kv_a_proj_with_mqa",
            "attn_kv_b" => "self_attn.kv_b_proj",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => architecture == "phi3" ? "mlp.gate_up_proj" : "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "ffn_gate_inp" => experts + (architecture == "smallthinker" ? "primary_router" : "gate"),
            "ffn_gate_exps" => experts + "experts.{e}." + (architecture switch { "llama" => "w1", "smallthinker" => "gate", _ => "gate_proj" }),
            "ffn_up_exps" => experts + "experts.{e}." + (architecture switch { "llama" => "w3", "smallthinker" => "up", _ => "up_proj" }),
            "ffn_down_exps" => experts + "experts.{e}." + (architecture switch { "llama" => "w2", "smallthinker" => "down", _ => "down_proj" }),
            _ => throw new ArgumentException(tensor),
        };
    }
}
