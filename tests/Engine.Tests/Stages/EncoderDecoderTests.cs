using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Stages;

/// <summary>T5 on long inputs against a forward pass in double precision, and the same bits however the work is cut.</summary>
public sealed class EncoderDecoderTests
{
    private const int Hidden = 40;
    private const int Heads = 3;
    private const int KeySize = 16;
    private const int ValueSize = 12;
    private const int FeedForward = 72;
    private const int Vocabulary = 70;
    private const int Encoders = 2;
    private const int Decoders = 3;
    private const int BucketCount = 32;
    private const float Epsilon = 1e-6f;

    /// <summary>Eleven blocks of input, then those of the decoder.</summary>
    private static readonly int[] Blocks = [.. Enumerable.Range(2, 30).Reverse()];

    public static TheoryData<string> Sets => [.. StepRunner.KernelSets];

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task Logits_are_those_of_the_equations(string kernels)
    {
        // Distances beyond the last bucket, more than one chunk of attention, gated and plain, tied and untied.
        foreach (var (gated, tied, input, length) in new[] { (true, false, 340, 40), (false, true, 3, 300), (true, true, 257, 1) })
        {
            var model = Model(gated, tied);
            using var path = model.Write();
            using var file = ModelFile.Open(path.Path);
            await using var pipeline = StepRunner.Load(file, kernels);
            var (encoder, tokens) = (model.Tokens(input, Vocabulary), model.Tokens(length, Vocabulary));
            var expected = Forward(model, encoder, tokens);
            var worst = Exact.Distance(expected, StepRunner.Logits(pipeline, tokens, Blocks, int.MaxValue, encoder: encoder));
            TestContext.Current.TestOutputHelper?.WriteLine($"{kernels} gated {gated} tied {tied} {input}+{length}: {worst:g3} of {expected.Max(r => r.Max(Math.Abs)):g3}");
            Assert.InRange(worst, 0, 5e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task Bits_do_not_depend_on_chunks_threads_and_split(string kernels)
    {
        var model = Model(gated: true, tied: false);
        using var path = model.Write();
        using var file = ModelFile.Open(path.Path);
        var (encoder, tokens) = (model.Tokens(300, Vocabulary), model.Tokens(90, Vocabulary));
        float[] expected;
        await using (var one = StepRunner.Load(file, kernels, threads: 1))
            expected = StepRunner.Logits(one, tokens, Blocks, 1, encoder: encoder);
        for (var stages = 1; stages <= Encoders + Decoders; stages++)
        {
            await using var pipeline = StepRunner.Load(file, kernels, stages, threads: 1 + (stages % 3));
            foreach (var chunk in new[] { 1, 7, 64 })
                Same(expected, StepRunner.Logits(pipeline, tokens, Blocks, chunk, encoder: encoder));
        }

        using var workers = new WorkerPool(2);
        var options = new StageOptions { BlockCount = 40, Kernels = StepRunner.Kernels(kernels) };
        for (var boundary = 1; boundary < Encoders + Decoders; boundary++)
        {
            using var first = Stage.Load(file, new LayerRange(0, boundary), options, workers);
            using var second = Stage.Load(file, new LayerRange(boundary, Encoders + Decoders), options, workers);
            var batch = new StepBatch { Encodes = true };
            batch.Add(encoder, 0, Blocks, 0);
            Assert.Equal(0, second.Forward(batch, first.Forward(batch, default, StepOutput.Logits).ToArray(), StepOutput.Logits).Length);
            batch.Clear();
            Assert.False(batch.Encodes);
            batch.Add(tokens, 0, Blocks, tokens.Length, encoderTokens: encoder.Length);
            Same(expected, second.Forward(batch, first.Forward(batch, default, StepOutput.Logits).ToArray(), StepOutput.Logits).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public async Task Company_copied_blocks_and_another_place_give_the_same_logits(string kernels)
    {
        var model = Model(gated: true, tied: false);
        using var path = model.Write();
        using var file = ModelFile.Open(path.Path);
        var encoders = new[] { 40, 64, 1 }.Select(n => model.Tokens(n, Vocabulary)).ToArray();
        var tokens = new[] { 60, 33, 70 }.Select(n => model.Tokens(n, Vocabulary)).ToArray();
        int[][] tables = [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]];
        var expected = new float[3][];
        await using (var one = StepRunner.Load(file, kernels, threads: 1))
        {
            for (var i = 0; i < 3; i++)
                expected[i] = StepRunner.Logits(one, tokens[i], Blocks, 1, encoder: encoders[i]);
        }

        await using var pipeline = StepRunner.Load(file, kernels, stages: 2);
        var batch = new StepBatch { Encodes = true };
        for (var i = 0; i < 3; i++)
            batch.Add(encoders[i], 0, tables[i], 0);
        StepRunner.Forward(pipeline, batch);
        var done = new int[3];
        for (var step = 0; done[0] < tokens[0].Length; step++)
        {
            batch.Clear();
            if (step == 7)
            {
                // The first sequence moves: its input, and what its decoder has seen.
                int[] moved = [33, 31, 35, 3];
                for (var b = 0; b < 4; b++)
                    batch.AddCopy(tables[0][b], moved[b]);
                tables[0] = moved;
            }

            var counts = new int[3];
            for (var i = 0; i < 3; i++)
            {
                counts[i] = Math.Min(1 + (step * (i + 1) % 5), tokens[i].Length - done[i]);
                if (counts[i] > 0)
                    batch.Add(tokens[i].AsSpan(done[i], counts[i]), done[i], tables[i], counts[i], encoderTokens: encoders[i].Length);
            }

            var rows = StepRunner.Forward(pipeline, batch).Span;
            for (var i = 0; i < 3; i++)
            {
                Same(expected[i].AsSpan(done[i] * Vocabulary, counts[i] * Vocabulary), rows[..(counts[i] * Vocabulary)]);
                rows = rows[(counts[i] * Vocabulary)..];
                done[i] += counts[i];
            }
        }

        // All at once, with the inputs of the first step.
        batch.Clear();
        for (var i = 0; i < 3; i++)
            batch.Add(tokens[i], 0, tables[i], tokens[i].Length, encoderTokens: encoders[i].Length);
        var all = StepRunner.Forward(pipeline, batch).Span;
        for (var i = 0; i < 3; i++)
        {
            Same(expected[i], all[..expected[i].Length]);
            all = all[expected[i].Length..];
        }
    }

    /// <summary>
    /// Quantized weights read int8 activations, and the cache holds integers: within 5 % of the logits' standard deviation of what
    /// the same weights give as floats, and still the same bits.
    /// </summary>
    [Theory]
    [InlineData("Q8_0", KvType.F32)]
    [InlineData("Q8_0", KvType.Q16)]
    [InlineData("Q8_0", KvType.Q8)]
    [InlineData("Q4_K_M", KvType.Q16)]
    public async Task Quantized_models_and_caches_stay_near_and_deterministic(string recipe, KvType type)
    {
        var reference = ReferenceModel.Read("t5-f32");
        using var origin = ReferenceModel.Open("t5-f32");
        using var path = new TemporaryFile();
        ModelQuantizer.Quantize(origin.Source, path.Path, new QuantizationOptions { Recipe = QuantizationRecipe.All.Single(r => r.Name == recipe) }, null, TestContext.Current.CancellationToken);
        using var file = ModelFile.Open(path.Path);
        Assert.True(file.Source.TryGetTensor("enc.blk.0.attn_rel_b.weight", out var biases));
        Assert.Equal(TensorType.F32, biases!.Type);
        using var floats = Dequantize(file.Source);
        using var dequantized = ModelFile.Open(floats.Path);
        var expected = await Logits(dequantized, KvType.F32, 1, 1, int.MaxValue);
        var actual = await Logits(file, type, 1, 1, 1);
        var error = Math.Sqrt(expected.Zip(actual, (a, b) => (double)(a - b) * (a - b)).Average());
        TestContext.Current.TestOutputHelper?.WriteLine($"{recipe} {type}: rms {error:g3}");
        Assert.InRange(error, 1e-5, 0.05 * Math.Sqrt(expected.Average(v => (double)v * v)));
        foreach (var (stages, threads, chunk) in new[] { (1, 2, 7), (3, 1, 64), (4, 3, 5) })
        {
            var cut = await Logits(file, type, stages, threads, chunk);
            Same(actual, cut);
        }

        async Task<float[]> Logits(ModelFile model, KvType cells, int stages, int threads, int chunk)
        {
            await using var pipeline = LocalPipeline.Load(model, new LocalPipelineOptions { Stages = stages, Threads = threads, KvType = cells, KvCacheBytes = 32 << 20 });
            return StepRunner.Logits(pipeline, reference.Tokens, Blocks, chunk, encoder: reference.Encoder);
        }
    }

    [Fact]
    public async Task Steps_that_lack_the_encoders_input_are_refused()
    {
        using var path = Model(gated: false, tied: true).Write();
        using var file = ModelFile.Open(path.Path);
        await using var pipeline = StepRunner.Load(file);
        var batch = new StepBatch();
        batch.Add([1], 0, [0, 1], 1);
        Assert.Contains("no encoder input", Refused(), StringComparison.Ordinal);
        batch.Clear();
        batch.Add([1], 0, [0], 1, encoderTokens: 5);
        Assert.Contains("do not hold", Refused(), StringComparison.Ordinal);
        batch.Clear();
        batch.Encodes = true;
        batch.Add([1, 2], 0, [0], 1);
        Assert.Contains("no output rows", Refused(), StringComparison.Ordinal);
        batch.Clear();
        batch.Encodes = true;
        batch.Add([1, 2], 2, [0], 0);
        Assert.Contains("as a whole", Refused(), StringComparison.Ordinal);

        string Refused() => Assert.Throws<ArgumentException>(() => StepRunner.Forward(pipeline, batch)).Message;
    }

    [Theory]
    [InlineData("attention.head_count_kv", 1u, "not supported")]
    [InlineData("attention.relative_buckets_count", 30u, "multiple of 4")]
    [InlineData("attention.relative_buckets_count", 256u, "below 256")]
    [InlineData("decoder_start_token_id", 70u, "between 0 and 69")]
    public void Absurd_hyper_parameters_are_refused(string key, object value, string reason)
    {
        var model = Model(gated: true, tied: true, except: key);
        model.Set("t5." + key, value);
        using var path = model.Write();
        Assert.Contains(reason, Assert.Throws<ModelFormatException>(() => ModelFile.Open(path.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>Values of the published implementation's function for 32 buckets up to distance 128.</summary>
    [Fact]
    public void Buckets_are_exact_near_and_logarithmic_far()
    {
        var buckets = new PositionBuckets(32, 128);
        Assert.Equal([0, 1, 15, 16, 16, 17, 20, 26, 31, 31], new[] { 0, 1, 15, 16, 18, 19, 27, 62, 113, 4000 }.Select(n => buckets.Of(-n, bothSides: false)));
        Assert.Equal(0, buckets.Of(5, bothSides: false));
        Assert.Equal([0, 1, 7, 8, 9, 10, 10, 12, 13, 14, 15, 15], new[] { 0, 1, 7, 8, 12, 16, 22, 32, 46, 64, 91, 1000 }.Select(n => buckets.Of(-n, bothSides: true)));
        Assert.Equal([17, 23, 24, 30, 31], new[] { 1, 7, 8, 64, 128 }.Select(n => buckets.Of(n, bothSides: true)));
    }

    internal static RandomModel Model(bool gated, bool tied, string? except = null)
    {
        var model = new RandomModel(seed: 5);
        model.Set("general.architecture", "t5");
        foreach (var (key, value) in new (string, object)[]
        {
            ("context_length", 400u), ("embedding_length", (uint)Hidden), ("feed_forward_length", (uint)FeedForward), ("block_count", (uint)Encoders),
            ("decoder_block_count", (uint)Decoders), ("attention.head_count", (uint)Heads), ("attention.key_length", (uint)KeySize),
            ("attention.value_length", (uint)ValueSize), ("attention.layer_norm_rms_epsilon", Epsilon), ("attention.relative_buckets_count", (uint)BucketCount),
            ("decoder_start_token_id", 2u),
        })
        {
            if (key != except)
                model.Set("t5." + key, value);
        }

        model.Matrix("token_embd.weight", Hidden, Vocabulary, tied ? Hidden : Math.Sqrt(Hidden));
        if (!tied)
            model.Matrix("output.weight", Hidden, Vocabulary, 2);
        foreach (var (stack, layers) in new[] { ("enc", Encoders), ("dec", Decoders) })
        {
            model.Norm($"{stack}.output_norm", Hidden, bias: false);
            for (var layer = 0; layer < layers; layer++)
            {
                var blk = $"{stack}.blk.{layer}.";
                foreach (var attention in stack == "enc" ? ["attn_"] : new[] { "attn_", "cross_attn_" })
                {
                    model.Norm(blk + attention + "norm", Hidden, bias: false);
                    model.Matrix(blk + attention + "q.weight", Hidden, Heads * KeySize, 0.6);
                    model.Matrix(blk + attention + "k.weight", Hidden, Heads * KeySize, 0.6);
                    model.Matrix(blk + attention + "v.weight", Hidden, Heads * ValueSize);
                    model.Matrix(blk + attention + "o.weight", Heads * ValueSize, Hidden);
                }

                if (layer == 0)
                    model.Add(blk + "attn_rel_b.weight", 1, 0, Heads, BucketCount);
                model.Norm(blk + "ffn_norm", Hidden, bias: false);
                if (gated)
                    model.Matrix(blk + "ffn_gate.weight", Hidden, FeedForward, 2);
                model.Matrix(blk + "ffn_up.weight", Hidden, FeedForward);
                model.Matrix(blk + "ffn_down.weight", FeedForward, Hidden);
            }
        }

        return model;
    }

    /// <summary>Logits of all positions of the decoder.</summary>
    private static double[][] Forward(RandomModel model, int[] encoder, int[] tokens)
    {
        var memory = Embed(model, encoder);
        for (var layer = 0; layer < Encoders; layer++)
        {
            var blk = $"enc.blk.{layer}.";
            memory = Sublayer(model, memory, blk + "attn_", null, (h, q, k) => Bias(model["enc.blk.0.attn_rel_b.weight"], h, k - q, bothSides: true));
            memory = FeedForwardOf(model, memory, blk);
        }

        memory = Exact.RmsNorm(memory, model["enc.output_norm.weight"], Epsilon);
        var x = Embed(model, tokens);
        for (var layer = 0; layer < Decoders; layer++)
        {
            var blk = $"dec.blk.{layer}.";
            x = Sublayer(model, x, blk + "attn_", null, (h, q, k) => k > q ? double.NegativeInfinity : Bias(model["dec.blk.0.attn_rel_b.weight"], h, k - q, bothSides: false));
            x = Sublayer(model, x, blk + "cross_attn_", memory, (_, _, _) => 0);
            x = FeedForwardOf(model, x, blk);
        }

        x = Exact.RmsNorm(x, model["dec.output_norm.weight"], Epsilon);
        var tied = !model.Has("output.weight");
        return Exact.Each(Exact.Product(x, model[tied ? "token_embd.weight" : "output.weight"]), row => [.. row.Select(v => tied ? v / Math.Sqrt(Hidden) : v)]);
    }

    private static double[][] Embed(RandomModel model, int[] tokens) =>
        [.. tokens.Select(t => model["token_embd.weight"].Skip(t * Hidden).Take(Hidden).Select(v => (double)v).ToArray())];

    private static double[][] Sublayer(RandomModel model, double[][] x, string name, double[][]? memory, Func<int, int, int, double> bias)
    {
        var n = Exact.RmsNorm(x, model[name + "norm.weight"], Epsilon);
        var from = memory ?? n;
        var attended = Exact.Attend(
            Exact.Product(n, model[name + "q.weight"]), Exact.Product(from, model[name + "k.weight"]), Exact.Product(from, model[name + "v.weight"]), Heads, 1, bias);
        return Exact.Add(x, Exact.Product(attended, model[name + "o.weight"]));
    }

    private static double[][] FeedForwardOf(RandomModel model, double[][] x, string blk)
    {
        var n = Exact.RmsNorm(x, model[blk + "ffn_norm.weight"], Epsilon);
        var h = Exact.Product(n, model[blk + "ffn_up.weight"]);
        if (model.Has(blk + "ffn_gate.weight"))
        {
            var gate = Exact.Product(n, model[blk + "ffn_gate.weight"]);
            h = [.. h.Zip(gate, (a, b) => a.Zip(b, (u, g) => u * Exact.TanhGelu(g)).ToArray())];
        }
        else
        {
            h = Exact.Each(h, row => [.. row.Select(v => Math.Max(v, 0))]);
        }

        return Exact.Add(x, Exact.Product(h, model[blk + "ffn_down.weight"]));
    }

    /// <summary>By the definition: half of a side's buckets are exact, the others logarithmic up to 128, found by counting their lower edges.</summary>
    private static double Bias(float[] table, int head, int distance, bool bothSides)
    {
        var count = bothSides ? BucketCount / 2 : BucketCount;
        var away = bothSides ? Math.Abs(distance) : -distance;
        var exact = count / 2;
        var bucket = away;
        if (away >= exact)
        {
            bucket = exact;
            for (var edge = 1; edge < count - exact; edge++)
            {
                if (away >= (exact * Math.Pow(128.0 / exact, edge / (double)(count - exact))) - 1e-9)
                    bucket = exact + edge;
            }
        }

        return table[((bucket + (bothSides && distance > 0 ? count : 0)) * Heads) + head];
    }

    private static unsafe TemporaryFile Dequantize(ModelSource source)
    {
        var writer = new GgufWriter();
        foreach (var (key, value) in source.Metadata)
            writer.Add(key, value);
        foreach (var tensor in source.Tensors)
        {
            var values = new float[tensor.Elements];
            fixed (byte* stored = source.Bytes(tensor))
            fixed (float* target = values)
                RowDequantizer.Dequantize(tensor.Type, stored, target, values.Length);
            writer.AddTensor(tensor.Name, TensorType.F32, tensor.Shape, MemoryMarshal.AsBytes<float>(values).ToArray());
        }

        var file = new TemporaryFile();
        writer.Write(file.Path);
        return file;
    }

    private static void Same(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var at = MemoryMarshal.Cast<float, int>(expected).CommonPrefixLength(MemoryMarshal.Cast<float, int>(actual));
        Assert.True(at == expected.Length, at < expected.Length ? $"Value {at} of {expected.Length} is {actual[at]:r}, expected {expected[at]:r}." : null);
    }
}
