using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Adapters;

/// <summary>Adapters against merged weights, against double, and against nothing at all.</summary>
public sealed class LoraTests
{
    private const int Rank = 4;
    private const float Alpha = 8 * Rank;
    private const int Length = 60;
    private static readonly int[] Blocks = [5, 0, 9, 2];

    public static TheoryData<string> FloatModels =>
    [
        "llama-untied-f32", "llama-tied-f16", "llama-rope3-bf16", "llama-moe-f16", "qwen2-f32", "qwen3-f32", "qwen3moe-f32",
        "gemma3-f32", "minicpm-f32", "smallthinker-f32", "plm-f32", "mamba2-f32", "falcon-h1-f32",
    ];

    public static TheoryData<string> QuantizedModels => ["llama-q8_0", "llama-q4_0", "llama-q5_1", "llama-q3_k", "llama-q4_k_m", "qwen3moe-q8_0"];

    /// <summary>Weights and activations are F32 on both sides; sums differ in their order only, which moves logits of standard deviation 2.5 by about 1e-5.</summary>
    [Theory]
    [MemberData(nameof(FloatModels))]
    public async Task An_adapter_of_every_matrix_gives_the_logits_of_merged_weights(string model)
    {
        using var file = ReferenceModel.Open(model);
        var pairs = LoraFiles.Random(file.Source, LoraFiles.Matrices(file.Source), Rank, seed: 1);
        using var merged = LoraFiles.Merge(file.Source, pairs, Alpha);
        var expected = await MergedLogits(merged.Path);
        using var adapter = LoraFiles.Write(file.Config.Architecture, pairs, Alpha);
        await using var pipeline = await Load(file, adapter.Path);
        var actual = Logits(pipeline, 1);
        Assert.InRange(Difference(expected, actual), 0, 2e-4);
        Assert.InRange(Difference(expected, Logits(pipeline, 0)), 0.1, 100);
    }

    /// <summary>Queries, keys and values are rows of one tensor, whose pair has one A for all of them; gate and up of another.</summary>
    [Fact]
    public async Task An_adapter_of_fused_tensors_gives_the_logits_of_merged_weights()
    {
        using var phi3 = DerivedModelTests.Fused();
        using var file = ModelFile.Open(phi3.Path);
        Assert.Contains("blk.0.attn_qkv.weight", LoraFiles.Matrices(file.Source));
        var pairs = LoraFiles.Random(file.Source, LoraFiles.Matrices(file.Source), Rank, seed: 8);
        using var merged = LoraFiles.Merge(file.Source, pairs, Alpha);
        var expected = await MergedLogits(merged.Path);
        using var adapter = LoraFiles.Write("phi3", pairs, Alpha);
        await using var pipeline = await Load(file, adapter.Path);
        Assert.InRange(Difference(expected, Logits(pipeline, 1)), 0, 2e-4);
        using var peft = new PeftFolder(PeftFolder.Config(Rank, Alpha), PeftFolder.Tensors(file, pairs));
        await using var other = await Load(file, peft.Path);
        Assert.Equal(Logits(pipeline, 1), Logits(other, 1));
    }

    /// <summary>Experts that are read from disk are the file's; all else can be changed beside them.</summary>
    [Fact]
    public async Task Adapters_of_offloaded_experts_are_refused_and_others_work()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        var names = LoraFiles.Matrices(file.Source);
        var options = new LocalPipelineOptions { Threads = 2, KvPositions = 512, ExpertMemory = 64 << 20 };
        await using var pipeline = LocalPipeline.Load(file, options);
        await using var resident = LocalPipeline.Load(file, options with { ExpertMemory = null });
        using var all = LoraFiles.Write("qwen3moe", LoraFiles.Random(file.Source, names, Rank, seed: 9), Alpha);
        using (var adapter = LoraAdapter.Open(all.Path, file))
        {
            var error = await Assert.ThrowsAsync<AdapterFormatException>(async () => await pipeline.LoadAdapterAsync(1, adapter, CancellationToken.None));
            Assert.Contains("_exps.weight", error.Message, StringComparison.Ordinal);
            Assert.Contains("expert memory", error.Message, StringComparison.Ordinal);
        }

        using var some = LoraFiles.Write("qwen3moe", LoraFiles.Random(file.Source, names.Where(n => !n.Contains("_exps", StringComparison.Ordinal)), Rank, seed: 9), Alpha);
        using var fitting = LoraAdapter.Open(some.Path, file);
        await pipeline.LoadAdapterAsync(1, fitting, CancellationToken.None);
        await resident.LoadAdapterAsync(1, fitting, CancellationToken.None);
        Assert.Equal(Logits(resident, 1), Logits(pipeline, 1));
        Assert.NotEqual(Logits(resident, 0), Logits(pipeline, 1));
    }

    /// <summary>The base meets int8 activations, the adapter and the merged model F32 ones: the tolerance is that of the base model's own reference.</summary>
    [Theory]
    [MemberData(nameof(QuantizedModels))]
    public async Task An_adapter_on_quantized_weights_stays_within_the_tolerance_of_the_base(string model)
    {
        var reference = ReferenceModel.Read(model);
        using var file = ReferenceModel.Open(model);
        var matrices = LoraFiles.Matrices(file.Source).Where(n => !n.Contains("ffn_gate_inp", StringComparison.Ordinal));
        var pairs = LoraFiles.Random(file.Source, matrices, Rank, seed: 2, size: 0.05f);
        using var merged = LoraFiles.Merge(file.Source, pairs, Alpha);
        var expected = await MergedLogits(merged.Path, reference.Tokens);
        using var adapter = LoraFiles.Write(file.Config.Architecture, pairs, Alpha);
        await using var pipeline = await Load(file, adapter.Path);
        Assert.InRange(Difference(expected, Logits(pipeline, 1, reference.Tokens)), 0, reference.MaxAbs);
        Assert.InRange(Difference(expected, Logits(pipeline, 0, reference.Tokens)), 2 * reference.MaxAbs, 100);
    }

    /// <summary>Of the head alone, whose input the pipeline gives out: sums of double.</summary>
    [Theory]
    [InlineData("llama-untied-f32", 1)]
    [InlineData("llama-untied-f32", 7)]
    [InlineData("llama-tied-f16", 16)]
    [InlineData("llama-tied-f16", 33)]
    public async Task The_head_with_an_adapter_agrees_with_double_arithmetic(string model, int rank)
    {
        using var file = ReferenceModel.Open(model);
        var pair = LoraFiles.Random(file.Source, ["output.weight"], rank, seed: 3)[0];
        using var adapter = LoraFiles.Write(file.Config.Architecture, [pair], Alpha);
        await using var pipeline = await Load(file, adapter.Path, strength: 0.75f);
        var hidden = Logits(pipeline, 1, output: StepOutput.Hidden);
        var logits = Logits(pipeline, 1);
        var name = file.Source.TryGetTensor("output.weight", out var own) ? own : file.Source.Tensors.Single(t => t.Name == "token_embd.weight");
        var weights = LoraFiles.Floats(file.Source, name);
        var (width, vocab) = (file.Config.HiddenSize, file.Config.VocabSize);
        var scale = 0.75 * Alpha / rank;
        for (var p = 0; p < Length; p += 7)
        {
            for (var v = 0; v < vocab; v++)
            {
                var sum = 0.0;
                for (var i = 0; i < width; i++)
                    sum += hidden[(p * width) + i] * (weights[(v * width) + i] + (scale * pair.Product(0, v, i)));
                Assert.Equal(sum, logits[(p * vocab) + v], 1e-4);
            }
        }
    }

    [Fact]
    public async Task Without_alpha_the_scale_is_one()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        var pairs = LoraFiles.Random(file.Source, LoraFiles.Matrices(file.Source), Rank, seed: 4);
        using var without = LoraFiles.Write("llama", pairs, alpha: null);
        using var with = LoraFiles.Write("llama", pairs, alpha: Rank);
        await using var one = await Load(file, without.Path);
        await using var other = await Load(file, with.Path);
        Assert.Equal(Logits(other, 1), Logits(one, 1));
    }

    [Theory]
    [InlineData("llama-untied-f32")]
    [InlineData("llama-q4_0")]
    [InlineData("qwen3moe-f32")]
    public async Task An_adapter_that_adds_nothing_gives_the_bits_of_the_base(string model)
    {
        using var file = ReferenceModel.Open(model);
        var pairs = LoraFiles.Random(file.Source, LoraFiles.Matrices(file.Source), Rank, seed: 5);
        using var fresh = LoraFiles.Write(file.Config.Architecture, pairs.Select(p => p with { B = new float[p.B.Length] }), Alpha);
        using var full = LoraFiles.Write(file.Config.Architecture, pairs, Alpha);
        await using var pipeline = await Load(file, fresh.Path);
        using (var nothing = LoraAdapter.Open(full.Path, file, strength: 0))
            await pipeline.LoadAdapterAsync(2, nothing, CancellationToken.None);
        var expected = Logits(pipeline, 0);
        Assert.Equal(expected, Logits(pipeline, 1));
        Assert.Equal(expected, Logits(pipeline, 2));
    }

    [Fact]
    public async Task A_slot_is_free_again_after_unloading()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        var names = LoraFiles.Matrices(file.Source);
        using var small = LoraFiles.Write("llama", LoraFiles.Random(file.Source, names, Rank, seed: 6), Alpha);
        using var large = LoraFiles.Write("llama", LoraFiles.Random(file.Source, names.Take(3), 3 * Rank, seed: 7), Alpha);
        await using var other = await Load(file, large.Path);
        await using var pipeline = await Load(file, small.Path);
        var first = Logits(pipeline, 1);
        await pipeline.UnloadAdapterAsync(1);
        Assert.Contains("slot 1 is empty", Assert.Throws<ArgumentException>(() => Logits(pipeline, 1)).Message, StringComparison.Ordinal);
        using (var adapter = LoraAdapter.Open(large.Path, file))
            await pipeline.LoadAdapterAsync(1, adapter, CancellationToken.None);
        Assert.Equal(Logits(other, 1), Logits(pipeline, 1));
        Assert.NotEqual(first, Logits(pipeline, 1));
        using var again = LoraAdapter.Open(small.Path, file);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await pipeline.LoadAdapterAsync(1, again, CancellationToken.None));
        Assert.Equal(Logits(other, 1), Logits(pipeline, 1));
    }

    internal static async Task<LocalPipeline> Load(ModelFile file, string adapter, float strength = 1, string? kernels = null, int stages = 1, int threads = 2)
    {
        var pipeline = StepRunner.Load(file, kernels, stages, threads);
        using var opened = LoraAdapter.Open(adapter, file, strength);
        await pipeline.LoadAdapterAsync(1, opened, CancellationToken.None);
        return pipeline;
    }

    private static async Task<float[]> MergedLogits(string path, int[]? tokens = null)
    {
        using var file = ModelFile.Open(path);
        await using var pipeline = StepRunner.Load(file);
        return Logits(pipeline, 0, tokens);
    }

    private static float[] Logits(LocalPipeline pipeline, int adapter, int[]? tokens = null, StepOutput output = StepOutput.Logits)
    {
        var random = new Random(7);
        tokens ??= [.. Enumerable.Range(0, Length).Select(_ => random.Next(pipeline.Config.VocabSize))];
        var batch = new StepBatch();
        batch.Add(tokens, 0, Blocks, tokens.Length, stateSlot: 0, adapter: adapter);
        return StepRunner.Forward(pipeline, batch, output).ToArray();
    }

    private static double Difference(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
    }
}
