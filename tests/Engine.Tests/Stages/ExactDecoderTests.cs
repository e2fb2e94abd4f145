using Slm.Engine.Models;

namespace Slm.Engine.Tests.Stages;

/// <summary>
/// Architectures without a reference file, and variants that the files lack, against a forward pass in double precision. The
/// engine sums floats of magnitude 1 to 10 over rows of at most 100 weights, a few dozen times behind each other; the reference
/// files show 2e-5 for that, and 1e-4 is allowed, 1/10 of the files' own tolerance. A wrong pairing, scale or order moves logits
/// by 0.1 to 10.
/// </summary>
public sealed class ExactDecoderTests
{
    private const int Vocabulary = 90;
    private const int Hidden = 48;
    private const int Layers = 3;
    private const int Context = 512;
    private const double Tolerance = 1e-4;

    private static readonly int[] Blocks = [4, 2, 9];

    [Theory]
    [InlineData(null)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Qwen2moe_weighs_experts_as_its_flag_says_and_adds_the_shared_one(bool? normalizes)
    {
        var model = Qwen2moe(normalizes);
        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = 4,
            KeyValueHeads = 2,
            HeadSize = 12,
            Frequency = (_, i) => Math.Pow(1e6, -2.0 * i / 12),
            ExpertsUsed = 3,
            NormalizesExperts = normalizes ?? false,
        });
    }

    [Fact]
    public async Task Mixtral_rotates_neighbours_and_normalizes_the_weights_of_its_experts()
    {
        var model = Start("llama", 12, feedForward: 24, heads: 6, keyValueHeads: 3);
        model.Set("llama.expert_count", 5u);
        model.Set("llama.expert_used_count", 2u);
        for (var i = 0; i < Layers; i++)
        {
            AddAttention(model, i, 6, 3, 8);
            AddExperts(model, i, 5, 24);
        }

        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = 6,
            KeyValueHeads = 3,
            HeadSize = 8,
            Neighbours = true,
            Frequency = (_, i) => Math.Pow(10000, -2.0 * i / 8),
            ExpertsUsed = 2,
        });
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(Context, false)]
    public async Task Phi3_splits_fused_tensors_and_rotates_a_part_of_each_head_by_LongRope(int trained, bool isLong)
    {
        var model = Start("phi3", 13, feedForward: 36);
        model.Set("phi3.rope.dimension_count", 8u);
        model.Set("phi3.rope.scaling.type", "longrope");
        model.Set("phi3.rope.scaling.original_context_length", (uint)trained);
        model.Set("phi3.rope.scaling.attn_factor", 1.19f);
        model.Set("phi3.attention.sliding_window", 9u);
        model.Add("rope_factors_long.weight", 0.2, 3, 4);
        model.Add("rope_factors_short.weight", 0.05, 1.2, 4);
        for (var i = 0; i < Layers; i++)
        {
            var blk = $"blk.{i}.";
            model.Norm(blk + "attn_norm", Hidden, bias: false);
            model.Matrix(blk + "attn_qkv.weight", Hidden, (4 + 2 + 2) * 12);
            model.Matrix(blk + "attn_output.weight", 48, Hidden);
            model.Norm(blk + "ffn_norm", Hidden, bias: false);
            model.Matrix(blk + "ffn_up.weight", Hidden, 2 * 36);
            model.Matrix(blk + "ffn_down.weight", 36, Hidden);
        }

        var divisors = model[isLong ? "rope_factors_long.weight" : "rope_factors_short.weight"];
        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = 4,
            KeyValueHeads = 2,
            HeadSize = 12,
            Rotated = 8,
            Magnitude = 1.19f,
            Window = _ => 9,
            Frequency = (_, i) => Math.Pow(10000, -2.0 * i / 8) / divisors[i],
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Minicpm3_takes_queries_and_keys_from_latent_vectors(bool states)
    {
        const int Heads = 3, Plain = 10, Rotated = 8, Value = 14, QueryRank = 20, Rank = 16;
        var model = Start("minicpm3", 14, feedForward: 40, heads: Heads, keyValueHeads: Heads);
        model.Set("minicpm3.attention.key_length", (uint)(Plain + Rotated));
        model.Set("minicpm3.attention.value_length", (uint)Value);
        model.Set("minicpm3.attention.q_lora_rank", (uint)QueryRank);
        model.Set("minicpm3.attention.kv_lora_rank", (uint)Rank);
        model.Set("minicpm3.rope.dimension_count", (uint)Rotated);
        if (states)
        {
            model.Set("minicpm3.embedding_scale", 3f);
            model.Set("minicpm3.residual_scale", 0.7f);
            model.Set("minicpm3.logit_scale", 1.5f);
        }

        for (var i = 0; i < Layers; i++)
        {
            var blk = $"blk.{i}.";
            model.Norm(blk + "attn_norm", Hidden, bias: false);
            model.Matrix(blk + "attn_q_a.weight", Hidden, QueryRank);
            model.Norm(blk + "attn_q_a_norm", QueryRank, bias: false);
            model.Matrix(blk + "attn_q_b.weight", QueryRank, Heads * (Plain + Rotated));
            model.Matrix(blk + "attn_kv_a_mqa.weight", Hidden, Rank + Rotated);
            model.Norm(blk + "attn_kv_a_norm", Rank, bias: false);
            model.Matrix(blk + "attn_kv_b.weight", Rank, Heads * (Plain + Value));
            model.Matrix(blk + "attn_output.weight", Heads * Value, Hidden);
            AddFeedForward(model, i, 40);
        }

        // Without keys the factors are those of the published model.
        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = Heads,
            KeyValueHeads = Heads,
            HeadSize = Plain + Rotated,
            Frequency = (_, i) => Math.Pow(10000, -2.0 * i / Rotated),
            Latent = (QueryRank, Rank, Plain, Rotated, Value),
            EmbeddingScale = states ? 3 : 12,
            ResidualScale = states ? 0.7f : 1.4 / Math.Sqrt(Layers),
            LogitScale = states ? 1 / 1.5 : 256.0 / Hidden,
        });
    }

    [Fact]
    public async Task Minicpm_without_keys_has_the_published_factors()
    {
        var model = Start("minicpm", 15, feedForward: 40);
        for (var i = 0; i < Layers; i++)
        {
            AddAttention(model, i, 4, 2, 12);
            AddFeedForward(model, i, 40);
        }

        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = 4,
            KeyValueHeads = 2,
            HeadSize = 12,
            Neighbours = true,
            Frequency = (_, i) => Math.Pow(10000, -2.0 * i / 12),
            EmbeddingScale = 12,
            ResidualScale = 1.4 / Math.Sqrt(Layers),
            LogitScale = 256.0 / Hidden,
        });
    }

    [Fact]
    public async Task Llama_with_a_window_sees_that_many_positions()
    {
        var model = Start("llama", 16, feedForward: 40);
        model.Set("llama.attention.sliding_window", 7u);
        model.Add("rope_freqs.weight", 0.3, 1.5, 6);
        for (var i = 0; i < Layers; i++)
        {
            AddAttention(model, i, 4, 2, 12);
            AddFeedForward(model, i, 40);
        }

        var divisors = model["rope_freqs.weight"];
        await Compare(model, new ExactDecoder(model)
        {
            Layers = Layers,
            Hidden = Hidden,
            Heads = 4,
            KeyValueHeads = 2,
            HeadSize = 12,
            Neighbours = true,
            Window = _ => 7,
            Frequency = (_, i) => Math.Pow(10000, -2.0 * i / 12) / divisors[i],
        });
    }

    [Fact]
    public async Task Gemma3_scales_positions_only_where_all_are_seen()
    {
        const int Count = 7;
        var model = Start("gemma3", 17, feedForward: 40, layers: Count);
        model.Set("gemma3.attention.key_length", 16u);
        model.Set("gemma3.attention.value_length", 16u);
        model.Set("gemma3.attention.sliding_window", 6u);
        model.Set("gemma3.rope.freq_base", 1e6f);
        model.Set("gemma3.rope.scaling.type", "linear");
        model.Set("gemma3.rope.scaling.factor", 8f);
        for (var i = 0; i < Count; i++)
        {
            AddAttention(model, i, 4, 2, 16);
            model.Norm($"blk.{i}.attn_q_norm", 16, bias: false);
            model.Norm($"blk.{i}.attn_k_norm", 16, bias: false);
            model.Norm($"blk.{i}.post_attention_norm", Hidden, bias: false);
            AddFeedForward(model, i, 40);
            model.Norm($"blk.{i}.post_ffw_norm", Hidden, bias: false);
        }

        await Compare(model, new ExactDecoder(model)
        {
            Layers = Count,
            Hidden = Hidden,
            Heads = 4,
            KeyValueHeads = 2,
            HeadSize = 16,
            Gate = Exact.TanhGelu,
            EmbeddingScale = Math.Sqrt(Hidden),
            Window = layer => layer % 6 < 5 ? 6 : int.MaxValue,
            Frequency = (layer, i) => layer % 6 < 5 ? Math.Pow(10000, -2.0 * i / 16) : Math.Pow(1e6, -2.0 * i / 16) / 8,
        });
    }

    private static RandomModel Start(string architecture, int seed, int feedForward, int heads = 4, int keyValueHeads = 2, int layers = Layers)
    {
        var model = new RandomModel(seed);
        model.Set("general.architecture", architecture);
        model.Set(architecture + ".context_length", (uint)Context);
        model.Set(architecture + ".embedding_length", (uint)Hidden);
        model.Set(architecture + ".block_count", (uint)layers);
        model.Set(architecture + ".feed_forward_length", (uint)feedForward);
        model.Set(architecture + ".attention.head_count", (uint)heads);
        model.Set(architecture + ".attention.head_count_kv", (uint)keyValueHeads);
        model.Set(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
        model.Add("token_embd.weight", 0.5, 0, Hidden, Vocabulary);
        model.Norm("output_norm", Hidden, bias: false);
        model.Matrix("output.weight", Hidden, Vocabulary, gain: 2);
        return model;
    }

    private static void AddAttention(RandomModel model, int layer, int heads, int keyValueHeads, int size, bool bias = false)
    {
        var blk = $"blk.{layer}.";
        model.Norm(blk + "attn_norm", Hidden, bias: false);
        foreach (var (name, count) in new[] { ("attn_q", heads), ("attn_k", keyValueHeads), ("attn_v", keyValueHeads) })
        {
            model.Matrix($"{blk}{name}.weight", Hidden, count * size);
            if (bias)
                model.Add($"{blk}{name}.bias", 0.4, 0, count * size);
        }

        model.Matrix(blk + "attn_output.weight", heads * size, Hidden);
    }

    private static void AddFeedForward(RandomModel model, int layer, int width)
    {
        var blk = $"blk.{layer}.";
        model.Norm(blk + "ffn_norm", Hidden, bias: false);
        model.Matrix(blk + "ffn_gate.weight", Hidden, width);
        model.Matrix(blk + "ffn_up.weight", Hidden, width);
        model.Matrix(blk + "ffn_down.weight", width, Hidden);
    }

    private static void AddExperts(RandomModel model, int layer, int experts, int width)
    {
        var blk = $"blk.{layer}.";
        model.Norm(blk + "ffn_norm", Hidden, bias: false);
        model.Matrix(blk + "ffn_gate_inp.weight", Hidden, experts, gain: 2);
        model.Add(blk + "ffn_gate_exps.weight", 1 / Math.Sqrt(Hidden), 0, Hidden, width, experts);
        model.Add(blk + "ffn_up_exps.weight", 1 / Math.Sqrt(Hidden), 0, Hidden, width, experts);
        model.Add(blk + "ffn_down_exps.weight", 1 / Math.Sqrt(width), 0, width, Hidden, experts);
    }

    /// <summary>Experts and a shared one.</summary>
    internal static RandomModel Qwen2moe(bool? normalizes)
    {
        var model = Start("qwen2moe", 11, feedForward: 40);
        model.Set("qwen2moe.rope.freq_base", 1e6f);
        model.Set("qwen2moe.expert_count", 6u);
        model.Set("qwen2moe.expert_used_count", 3u);
        model.Set("qwen2moe.expert_feed_forward_length", 20u);
        model.Set("qwen2moe.expert_shared_feed_forward_length", 28u);
        if (normalizes is { } flag)
            model.Set("qwen2moe.expert_weights_norm", flag);
        for (var i = 0; i < Layers; i++)
        {
            AddAttention(model, i, 4, 2, 12, bias: true);
            AddExperts(model, i, 6, 20);
            model.Matrix($"blk.{i}.ffn_gate_shexp.weight", Hidden, 28);
            model.Matrix($"blk.{i}.ffn_up_shexp.weight", Hidden, 28);
            model.Matrix($"blk.{i}.ffn_down_shexp.weight", 28, Hidden);
            model.Add($"blk.{i}.ffn_gate_inp_shexp.weight", 0.3, 0, Hidden);
        }

        return model;
    }

    private static async Task Compare(RandomModel model, ExactDecoder decoder)
    {
        var tokens = model.Tokens(50, Vocabulary);
        var expected = decoder.Logits(tokens);

        // Floats would choose other experts where two are this close.
        Assert.True(decoder.RoutingMargin > 1e-5, $"The routing margin is {decoder.RoutingMargin}.");
        using var path = model.Write();
        using var file = ModelFile.Open(path.Path);
        foreach (var kernels in StepRunner.KernelSets)
        {
            await using var pipeline = StepRunner.Load(file, kernels);
            foreach (var chunk in new[] { int.MaxValue, 7 })
            {
                var worst = Exact.Distance(expected, StepRunner.Logits(pipeline, tokens, Blocks, chunk));
                TestContext.Current.TestOutputHelper?.WriteLine($"{kernels} chunk {chunk}: {worst:g3} of {expected.Max(r => r.Max(Math.Abs)):g3}");
                Assert.InRange(worst, 0, Tolerance);
            }
        }
    }
}
