using System.Runtime.InteropServices;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Stages;

/// <summary>Architectures without a reference file of their own, made of one that has: the same computation by other tensors.</summary>
public sealed class DerivedModelTests
{
    private const string Origin = "qwen2-f32";
    private static readonly int[] Blocks = [.. Enumerable.Range(0, 16)];

    [Fact]
    public async Task Phi3_with_fused_tensors_has_the_bits_of_the_model_they_were_fused_from()
    {
        using var phi3 = Derive("phi3", AddFused);
        Assert.Equal(await Logits(ReferenceModels.Path(Origin), Tokens(60)), await Logits(phi3.Path, Tokens(60)));
    }

    [Theory]
    [InlineData(64u, 'l')]
    [InlineData(512u, 's')]
    public async Task LongRope_divides_frequencies_by_the_factors_of_the_models_context(uint trained, char used)
    {
        var size = 0;
        float[] Factors(char kind) => [.. Enumerable.Range(0, size).Select(i => 1 + ((kind == 'l' ? 0.9f : 0.2f) * i))];
        void AddBoth(GgufWriter writer, GgufFile file)
        {
            size = HeadSize() / 2;
            writer.Add("phi3.rope.scaling.original_context_length", trained);
            writer.Add("phi3.rope.scaling.type", "longrope");
            writer.Add("phi3.rope.scaling.attn_factor", 1.25f);
            Add(writer, "rope_factors_long.weight", [size], Factors('l'));
            Add(writer, "rope_factors_short.weight", [size], Factors('s'));
            AddFused(writer, file);
        }

        // The same by the tensor of Llama 3.1.
        using var longRope = Derive("phi3", AddBoth);
        using var other = Derive("qwen2", (writer, file) =>
        {
            writer.Add("qwen2.rope.scaling.attn_factor", 1.25f);
            Add(writer, "rope_freqs.weight", [size], Factors(used));
            foreach (var tensor in file.Tensors.Where(t => t.Name.StartsWith("blk.", StringComparison.Ordinal)))
                Add(writer, tensor.Name, tensor.Shape, Floats(file, tensor.Name));
        });
        Assert.Equal(await Logits(other.Path, Tokens(60)), await Logits(longRope.Path, Tokens(60)));
        Assert.NotEqual(await Logits(ReferenceModels.Path(Origin), Tokens(60)), await Logits(longRope.Path, Tokens(60)));
    }

    [Theory]
    [InlineData("gemma3-f32", "gemma3.final_logit_softcapping", -30f, "between")]
    [InlineData("gemma3-f32", "gemma3.attention.sliding_window", 0u, "between")]
    [InlineData("gemma3-f32", "gemma3.expert_count", 4u, "expert_used_count")]
    [InlineData("smallthinker-f32", "smallthinker.expert_count", 0u, "missing or 0")]
    [InlineData("smallthinker-f32", "smallthinker.expert_gating_func", 3u, "are supported")]
    [InlineData("qwen3moe-f32", "qwen3moe.expert_used_count", 9u, "between")]
    [InlineData("qwen3moe-f32", "qwen3moe.expert_count", 1000000000u, "between")]
    [InlineData("qwen3moe-f32", "qwen3moe.expert_weights_norm", 1u, "a bool is expected")]
    [InlineData("qwen3moe-f32", "qwen3moe.expert_feed_forward_length", 40u, "[64, 40, 8] is expected")]
    [InlineData("minicpm-f32", "minicpm.logit_scale", 0f, "between")]
    [InlineData("qwen2-f32", "qwen2.attention.sliding_window", 16u, "sliding windows")]
    public async Task Absurd_hyper_parameters_are_refused(string model, string key, object value, string reason)
    {
        using var path = WithKey(model, key, value);
        var error = await Assert.ThrowsAsync<ModelFormatException>(async () =>
        {
            using var file = ModelFile.Open(path.Path);
            await using var pipeline = StepRunner.Load(file);
        });
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capped_logits_are_the_hyperbolic_tangent_of_those_without_cap()
    {
        var tokens = Tokens(60);
        using var capped = WithKey("gemma3-f32", "gemma3.final_logit_softcapping", 3f);
        var expected = await Logits(ReferenceModels.Path("gemma3-f32"), tokens);
        var actual = await Logits(capped.Path, tokens);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(3 * Math.Tanh(expected[i] / 3.0), actual[i], 2e-6);
    }

    [Fact]
    public async Task Capped_scores_change_the_logits_unless_the_cap_is_far_off()
    {
        var tokens = Tokens(60);
        using var low = WithKey("gemma3-f32", "gemma3.attn_logit_softcapping", 1f);
        using var high = WithKey("gemma3-f32", "gemma3.attn_logit_softcapping", 1000f);
        var expected = await Logits(ReferenceModels.Path("gemma3-f32"), tokens);
        var near = await Logits(low.Path, tokens);
        var far = await Logits(high.Path, tokens);
        Assert.InRange(Distance(expected, near), 0.1f, float.MaxValue);
        // Rounding of cap · tanh, 1000 · 6e-8, moves scores, and these the logits.
        Assert.InRange(Distance(expected, far), 0, 0.02f);
    }

    [Fact]
    public async Task A_shared_expert_at_half_weight_with_twice_the_output_is_the_dense_model()
    {
        using var shared = Derive("qwen2moe", AddShared);
        Assert.Equal(await Logits(ReferenceModels.Path(Origin), Tokens(60)), await Logits(shared.Path, Tokens(60)));
    }

    /// <summary>Rotations are relative, so tokens that no path of windows reaches may as well not exist.</summary>
    [Theory]
    [InlineData(40)]
    [InlineData(90)]
    public async Task Windows_hide_what_lies_before_them_and_nothing_else(int window)
    {
        using var phi3 = Derive("phi3", (writer, file) =>
        {
            writer.Add("phi3.attention.sliding_window", (uint)window);
            AddFused(writer, file);
        });
        var vocab = Vocab();
        var layers = Layers();
        var tokens = Tokens(400);
        var reach = (layers * (window - 1)) + 1;
        Assert.InRange(reach, 0, 300);
        var whole = await Logits(phi3.Path, tokens);
        foreach (var end in new[] { 400, 385, 380, reach + 5 })
        {
            var seen = await Logits(phi3.Path, tokens[(end - reach)..end]);
            var less = await Logits(phi3.Path, tokens[(end - reach + 1)..end]);
            Assert.InRange(Distance(whole.AsSpan((end - 1) * vocab, vocab), seen.AsSpan(^vocab..)), 0, 1e-3f);
            Assert.NotEqual(seen[^vocab..], less[^vocab..]);
        }
    }

    [Fact]
    public async Task Experts_in_tensors_of_their_own_are_those_of_one_tensor()
    {
        const string Experts = "llama-moe-f16";
        using var path = ExpertsApart(Experts);
        var tokens = ReferenceModel.Read(Experts).Tokens;
        Assert.Equal(await Logits(ReferenceModels.Path(Experts), tokens), await Logits(path.Path, tokens));
    }

    private static float Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var worst = 0f;
        for (var i = 0; i < a.Length; i++)
            worst = MathF.Max(worst, MathF.Abs(a[i] - b[i]));
        return worst;
    }

    private static async Task<float[]> Logits(string path, int[] tokens)
    {
        using var file = ModelFile.Open(path);
        await using var pipeline = StepRunner.Load(file);
        return StepRunner.Logits(pipeline, tokens, Blocks, 37);
    }

    /// <summary>A phi3 model with queries, keys and values in one tensor, gate and up in another.</summary>
    internal static TemporaryFile Fused() => Derive("phi3", AddFused);

    /// <summary>A model with a tensor for each expert's matrix, as old files have them.</summary>
    internal static TemporaryFile ExpertsApart(string model)
    {
        using var origin = GgufFile.Open(ReferenceModels.Path(model));
        var writer = new GgufWriter();
        foreach (var (key, value) in origin.Metadata)
            writer.Add(key, value);
        foreach (var tensor in origin.Tensors)
        {
            if (!tensor.Name.Contains("_exps", StringComparison.Ordinal))
            {
                writer.AddTensor(tensor.Name, tensor.Type, tensor.Shape, origin.Bytes(tensor).ToArray());
                continue;
            }

            var size = (int)(tensor.ByteLength / tensor.Shape[2]);
            for (var e = 0; e < tensor.Shape[2]; e++)
                writer.AddTensor(tensor.Name.Replace("_exps", $".{e}", StringComparison.Ordinal), tensor.Type, [tensor.Shape[0], tensor.Shape[1]], origin.Bytes(tensor).Slice(e * size, size).ToArray());
        }

        var path = new TemporaryFile();
        writer.Write(path.Path);
        return path;
    }

    private static TemporaryFile Derive(string architecture, Action<GgufWriter, GgufFile> addLayers)
    {
        using var origin = GgufFile.Open(ReferenceModels.Path(Origin));
        var writer = new GgufWriter();
        writer.Add("general.architecture", architecture);
        foreach (var (key, value) in origin.Metadata.Where(p => p.Key.StartsWith("qwen2.", StringComparison.Ordinal)))
            writer.Add(string.Concat(architecture, key.AsSpan("qwen2".Length)), value);
        foreach (var tensor in origin.Tensors.Where(t => !t.Name.StartsWith("blk.", StringComparison.Ordinal)))
            Add(writer, tensor.Name, tensor.Shape, Floats(origin, tensor.Name));
        addLayers(writer, origin);
        var file = new TemporaryFile();
        writer.Write(file.Path);
        return file;
    }

    /// <summary>A reference model with another value of a key.</summary>
    private static TemporaryFile WithKey(string model, string key, object value)
    {
        using var origin = GgufFile.Open(ReferenceModels.Path(model));
        var writer = new GgufWriter();
        foreach (var pair in origin.Metadata.Where(p => p.Key != key))
            writer.Add(pair.Key, pair.Value);
        writer.Add(key, value);
        foreach (var tensor in origin.Tensors)
            writer.AddTensor(tensor.Name, tensor.Type, tensor.Shape, origin.Bytes(tensor).ToArray());
        var file = new TemporaryFile();
        writer.Write(file.Path);
        return file;
    }

    private static void AddFused(GgufWriter writer, GgufFile origin)
    {
        foreach (var tensor in origin.Tensors.Where(t => t.Name.StartsWith("blk.", StringComparison.Ordinal)))
        {
            string[] parts = tensor.Name.Contains("attn_q.", StringComparison.Ordinal) ? ["attn_q.", "attn_k.", "attn_v."]
                : tensor.Name.Contains("ffn_gate.", StringComparison.Ordinal) ? ["ffn_gate.", "ffn_up."]
                : new[] { "attn_k.", "attn_v.", "ffn_up." }.Any(n => tensor.Name.Contains(n, StringComparison.Ordinal)) ? [] : [tensor.Name];
            if (parts.Length == 0)
                continue;
            var all = parts.SelectMany(p => Floats(origin, tensor.Name.Replace(parts[0], p, StringComparison.Ordinal))).ToArray();
            var fused = parts.Length == 1 ? tensor.Name : tensor.Name.Replace(parts[0], parts.Length == 3 ? "attn_qkv." : "ffn_up.", StringComparison.Ordinal);
            var isVector = tensor.Shape.Count == 1;
            Add(writer, fused, isVector ? [all.Length] : [tensor.Columns, all.Length / tensor.Columns], all);
        }
    }

    private static void AddShared(GgufWriter writer, GgufFile origin)
    {
        const int Experts = 4;
        writer.Add("qwen2moe.expert_count", (uint)Experts);
        writer.Add("qwen2moe.expert_used_count", 2u);
        writer.Add("qwen2moe.expert_feed_forward_length", 32u);
        var hidden = (uint)origin.Tensors.Single(t => t.Name == "output_norm.weight").Columns;
        foreach (var tensor in origin.Tensors.Where(t => t.Name.StartsWith("blk.", StringComparison.Ordinal)))
        {
            var values = Floats(origin, tensor.Name);
            if (tensor.Name.Contains("ffn_down", StringComparison.Ordinal))
                values = [.. values.Select(v => 2 * v)];
            var dense = tensor.Shape.Count > 1 && tensor.Name.Contains("ffn_", StringComparison.Ordinal);
            Add(writer, dense ? tensor.Name.Replace(".weight", "_shexp.weight", StringComparison.Ordinal) : tensor.Name, tensor.Shape, values);
            if (!tensor.Name.Contains("ffn_norm", StringComparison.Ordinal))
                continue;
            var blk = tensor.Name[..tensor.Name.IndexOf("ffn_norm", StringComparison.Ordinal)];
            Add(writer, blk + "ffn_gate_inp_shexp.weight", [hidden], new float[hidden]);
            Add(writer, blk + "ffn_gate_inp.weight", [hidden, Experts], new float[hidden * Experts]);
            Add(writer, blk + "ffn_gate_exps.weight", [hidden, 32, Experts], [.. Enumerable.Repeat(0.25f, (int)hidden * 32 * Experts)]);
            Add(writer, blk + "ffn_up_exps.weight", [hidden, 32, Experts], [.. Enumerable.Repeat(0.25f, (int)hidden * 32 * Experts)]);
            Add(writer, blk + "ffn_down_exps.weight", [32, hidden, Experts], new float[32 * hidden * Experts]);
        }
    }

    private static void Add(GgufWriter writer, string name, IReadOnlyList<long> shape, float[] values) =>
        writer.AddTensor(name, TensorType.F32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());

    private static float[] Floats(GgufFile file, string name)
    {
        Assert.True(file.TryGetTensor(name, out var tensor));
        Assert.Equal(TensorType.F32, tensor.Type);
        return MemoryMarshal.Cast<byte, float>(file.Bytes(tensor)).ToArray();
    }

    private static int Vocab()
    {
        using var file = ReferenceModel.Open(Origin);
        return file.Config.VocabSize;
    }

    private static int HeadSize()
    {
        using var file = ReferenceModel.Open(Origin);
        return file.Config.HeadSize;
    }

    private static int Layers()
    {
        using var file = ReferenceModel.Open(Origin);
        return file.Config.LayerCount;
    }

    private static int[] Tokens(int count)
    {
        var random = new Random(3);
        var vocab = Vocab();
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocab))];
    }
}
