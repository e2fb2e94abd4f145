using System.Text.Json;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Stages;

/// <summary>A file of tests/data/gguf and what other implementations computed from it.</summary>
internal sealed record ReferenceModel(
    string Name, int[] Tokens, int[] Encoder, (int Id, float Logit)[][] Positions, float[] Last, int[] Greedy, float MaxAbs, float? LastRms)
{
    public static readonly string[] Names =
    [
        "llama-untied-f32", "llama-tied-f16", "llama-rope3-bf16", "llama-q8_0", "llama-q4_0",
        "llama-q4_1", "llama-q5_0", "llama-q5_1", "llama-q2_k", "llama-q3_k", "llama-q4_k", "llama-q4_k_m", "llama-q5_k", "llama-q6_k",
        "llama-linear-rope-f32", "llama-yarn-f32", "qwen2-f32", "qwen3-f32",
        "llama-moe-f16", "qwen3moe-f32", "qwen3moe-q8_0",
        "gemma3-f32", "minicpm-f32", "smallthinker-f32", "smallthinker-softmax-f16",
        "plm-f32", "mamba2-f32", "mamba2-f16", "falcon-h1-f32", "falcon-h1-norm-f16", "t5-f32",
    ];

    /// <summary>Opens the GGUF file of a reference model.</summary>
    public static ModelFile Open(string name) => ModelFile.Open(ReferenceModels.Path(name));

    /// <summary>Reads its record. Quantized matrices meet int8 activations here, so their tolerance is that of reduced activations.</summary>
    public static ReferenceModel Read(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(ReferenceModels.Record(name)));
        var root = document.RootElement;
        var tolerance = root.GetProperty("tolerance");
        float? rms = null;
        var maxAbs = tolerance.GetProperty("max_abs").GetSingle();
        if (root.GetProperty("file_type").GetString()!.StartsWith('Q'))
        {
            var reduced = tolerance.GetProperty("reduced_activations");
            maxAbs = reduced.GetProperty("max_abs").GetSingle();
            rms = reduced.GetProperty("last_rms").GetSingle();
        }

        return new ReferenceModel(
            name,
            [.. root.GetProperty("tokens").EnumerateArray().Select(e => e.GetInt32())],
            root.TryGetProperty("encoder_tokens", out var encoder) ? [.. encoder.EnumerateArray().Select(e => e.GetInt32())] : [],
            [.. root.GetProperty("positions").EnumerateArray().Select(p =>
                p.GetProperty("top").EnumerateArray().Select(e => (e[0].GetInt32(), e[1].GetSingle())).ToArray())],
            [.. root.GetProperty("last").EnumerateArray().Select(e => e.GetSingle())],
            [.. root.GetProperty("greedy").EnumerateArray().Select(e => e.GetInt32())],
            maxAbs,
            rms);
    }
}
