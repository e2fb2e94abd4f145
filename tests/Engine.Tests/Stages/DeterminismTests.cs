using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Stages;

/// <summary>The same bits, however the work is cut. The baseline is one token a step, one thread, one stage.</summary>
public sealed class DeterminismTests
{
    private const int Length = 100;
    private static readonly int[] Blocks = [5, 0, 9, 2];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var model in new[] { "llama-untied-f32", "llama-tied-f16", "llama-rope3-bf16", "llama-q8_0", "llama-q4_0", "llama-q5_1", "llama-q3_k", "llama-q4_k_m", "qwen2-f32", "qwen3-f32", "llama-moe-f16", "qwen3moe-f32", "qwen3moe-q8_0", "gemma3-f32", "minicpm-f32", "smallthinker-f32", "smallthinker-softmax-f16", "plm-f32", "mamba2-f32", "mamba2-f16", "falcon-h1-f32", "falcon-h1-norm-f16" })
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(model, kernels);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Chunks_give_the_same_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        await using var pipeline = StepRunner.Load(file, kernels);
        foreach (var chunk in new[] { 2, 3, 7, 31, 64, Length })
            Same(expected, StepRunner.Logits(pipeline, tokens, Blocks, chunk));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Threads_give_the_same_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        foreach (var threads in new[] { 2, 3 })
        {
            await using var pipeline = StepRunner.Load(file, kernels, threads: threads);
            Same(expected, StepRunner.Logits(pipeline, tokens, Blocks, 1));
            Same(expected, StepRunner.Logits(pipeline, tokens, Blocks, 40));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Stage_split_gives_the_same_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        var layers = file.Config.LayerCount;
        for (var stages = 2; stages <= layers; stages++)
        {
            await using var pipeline = StepRunner.Load(file, kernels, stages);
            Assert.Equal(stages, pipeline.Stages.Count);
            Same(expected, StepRunner.Logits(pipeline, tokens, Blocks, 23));
        }

        using var workers = new WorkerPool(2);
        var options = new StageOptions { BlockCount = 10, StateSlots = 2, Kernels = StepRunner.Kernels(kernels) };
        for (var boundary = 1; boundary < layers; boundary++)
        {
            using var first = Stage.Load(file, new LayerRange(0, boundary), options, workers);
            using var second = Stage.Load(file, new LayerRange(boundary, layers), options, workers);
            Assert.True(first.HasEmbedding && !first.HasHead && !second.HasEmbedding && second.HasHead);
            var batch = new StepBatch();
            batch.Add(tokens, 0, Blocks, tokens.Length, stateSlot: 1);
            var middle = first.Forward(batch, default, StepOutput.Logits);
            Assert.Equal(tokens.Length * file.Config.HiddenSize, middle.Length);
            Same(expected, second.Forward(batch, middle.ToArray(), StepOutput.Logits).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Company_in_the_batch_gives_the_same_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        var vocab = file.Config.VocabSize;
        await using var pipeline = StepRunner.Load(file, kernels);
        var others = Tokens(vocab, 200, seed: 99);
        var batch = new StepBatch();
        var start = 0;
        for (var step = 0; start < Length; step++)
        {
            // This sequence in chunks of 1 to 5; one that decodes before it, one that prefills behind it.
            var count = Math.Min((step % 5) + 1, Length - start);
            batch.Clear();
            batch.Add(others.AsSpan(step, 1), step, [7, 8, 10], 1, stateSlot: 0);
            batch.Add(tokens.AsSpan(start, count), start, Blocks, count, stateSlot: 2);
            batch.Add(others.AsSpan(step * 4, 4), step * 4, [11, 12, 13, 14, 15], step % 2, stateSlot: 1);
            var rows = StepRunner.Forward(pipeline, batch).Span;
            Same(expected.AsSpan(start * vocab, count * vocab), rows.Slice(vocab, count * vocab));
            start += count;
        }
    }

    /// <summary>Beyond one chunk of attention, where threads share the positions of a sequence.</summary>
    [Theory]
    [InlineData("llama-untied-f32")]
    [InlineData("llama-q4_0")]
    [InlineData("gemma3-f32")]
    public async Task A_long_context_gives_the_same_logits(string model)
    {
        using var file = ReferenceModel.Open(model);
        const int Long = 500;
        Assert.InRange(Long, 0, file.Config.ContextLength - 8);
        var tokens = Tokens(file.Config.VocabSize, Long + 8, seed: 11);
        int[] blocks = [.. Enumerable.Range(3, 23)];
        var vocab = file.Config.VocabSize;
        foreach (var kernels in StepRunner.KernelSets)
        {
            await using var one = StepRunner.Load(file, kernels, threads: 1);
            var expected = StepRunner.Logits(one, tokens, blocks, 1);
            foreach (var threads in new[] { 2, 3 })
            {
                await using var pipeline = StepRunner.Load(file, kernels, threads: threads);
                Same(expected.AsSpan(0, Long * vocab), StepRunner.Logits(pipeline, tokens.AsSpan(0, Long), blocks, 100));
                var batch = new StepBatch();
                for (var i = 0; i < 8; i++)
                {
                    // Alone, and beside another long one.
                    batch.Clear();
                    if (i % 2 == 1)
                        batch.Add([5, 6, 7], 490, blocks, 0, stateSlot: 1);
                    batch.Add(tokens.AsSpan(Long + i, 1), Long + i, blocks, 1, stateSlot: 0);
                    if (i % 2 == 0)
                        Same(expected.AsSpan((Long + i) * vocab, vocab), StepRunner.Forward(pipeline, batch).Span);
                    else
                        StepRunner.Logits(pipeline, tokens.AsSpan(0, Long + i + 1), blocks, 256);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Only_the_wanted_rows_are_returned(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        var vocab = file.Config.VocabSize;
        await using var pipeline = StepRunner.Load(file, kernels);
        var batch = new StepBatch();
        batch.Add(tokens.AsSpan(0, 30), 0, Blocks, 0, stateSlot: 0);
        Assert.Equal(0, StepRunner.Forward(pipeline, batch).Length);
        batch.Clear();
        batch.Add(tokens.AsSpan(30), 30, Blocks, 3, stateSlot: 0);
        Same(expected.AsSpan((Length - 3) * vocab), StepRunner.Forward(pipeline, batch).Span);
    }

    /// <summary>What a sequence has lost by going another way comes back from a copy of its state.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_restored_snapshot_gives_the_same_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await Baseline(file, kernels);
        var vocab = file.Config.VocabSize;
        await using var pipeline = StepRunner.Load(file, kernels, stages: 2);
        var others = Tokens(vocab, 40, seed: 5);
        var batch = new StepBatch();
        foreach (var at in new[] { 1, 2, 30, 33 })
        {
            batch.Clear();
            batch.Add(tokens.AsSpan(0, at), 0, Blocks, 0, stateSlot: 0);
            StepRunner.Forward(pipeline, batch);
            batch.Clear();
            batch.AddStateCopy(0, 2);
            batch.Add(others, at, Blocks, 0, stateSlot: 0);
            StepRunner.Forward(pipeline, batch);
            batch.Clear();
            batch.AddStateCopy(2, 1);
            batch.Add(tokens.AsSpan(at, 40), at, Blocks, 40, stateSlot: 1);
            Same(expected.AsSpan(at * vocab, 40 * vocab), StepRunner.Forward(pipeline, batch).Span);
        }
    }

    [Fact]
    public async Task Hidden_states_are_those_that_the_head_sees()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        var (tokens, expected) = await Baseline(file, StepRunner.KernelSets[0]);
        var (hidden, vocab) = (file.Config.HiddenSize, file.Config.VocabSize);
        await using var pipeline = StepRunner.Load(file);
        var states = StepRunner.Logits(pipeline, tokens, Blocks, 50, StepOutput.Hidden);
        Assert.Equal(Length * hidden, states.Length);
        Assert.True(file.Source.TryGetTensor("output.weight", out var head));
        var weights = MemoryMarshal.Cast<byte, float>(file.Source.Bytes(head!)).ToArray();
        for (var p = 0; p < Length; p += 9)
        {
            for (var v = 0; v < vocab; v += 13)
            {
                var sum = 0.0;
                for (var i = 0; i < hidden; i++)
                    sum += (double)weights[(v * hidden) + i] * states[(p * hidden) + i];
                Assert.Equal(sum, expected[(p * vocab) + v], 1e-4);
            }
        }
    }

    private static async Task<(int[] Tokens, float[] Logits)> Baseline(ModelFile file, string kernels)
    {
        var tokens = Tokens(file.Config.VocabSize, Length, seed: 7);
        await using var pipeline = StepRunner.Load(file, kernels, threads: 1);
        return (tokens, StepRunner.Logits(pipeline, tokens, [1, 2, 3, 4], 1));
    }

    private static int[] Tokens(int vocab, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocab))];
    }

    private static void Same(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var a = MemoryMarshal.Cast<float, int>(expected);
        var b = MemoryMarshal.Cast<float, int>(actual);
        var at = a.CommonPrefixLength(b);
        Assert.True(at == a.Length, at < a.Length ? $"Value {at} of {a.Length} is {actual[at]:r}, expected {expected[at]:r}." : null);
        Assert.True(float.IsFinite(actual[^1]));
    }
}
