using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Adapters;

/// <summary>A sequence's bits with its adapter do not depend on the company, the chunks, the threads or the stages.</summary>
public sealed class LoraDeterminismTests
{
    private const int Length = 90;

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var model in new[] { "llama-untied-f32", "llama-tied-f16", "llama-q4_0", "llama-q4_k_m", "qwen2-f32", "qwen3moe-q8_0", "gemma3-f32", "smallthinker-f32", "plm-f32", "falcon-h1-f32" })
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(model, kernels);
            }

            return cases;
        }
    }

    /// <summary>Sequences with four adapters or none, some the same, advance by random steps in random order and company.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Random_batches_of_mixed_adapters_give_the_bits_of_each_alone(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        using var adapters = new AdapterSet(file);
        await using var pipeline = StepRunner.Load(file, kernels);
        await adapters.LoadInto(pipeline);
        await using var alone = StepRunner.Load(file, kernels, threads: 1);
        await adapters.LoadInto(alone);
        var vocab = file.Config.VocabSize;
        var random = new Random(17);
        var sequences = Enumerable.Range(0, 6).Select(i =>
        {
            int[] tokens = [.. Enumerable.Range(0, Length).Select(_ => random.Next(vocab))];
            int[] blocks = [.. Enumerable.Range(4 * i, 4)];
            return (Tokens: tokens, Blocks: blocks, Slot: i % (AdapterSet.Count + 2) % (AdapterSet.Count + 1), Expected: One(alone, tokens, i % (AdapterSet.Count + 2) % (AdapterSet.Count + 1), 1));
        }).ToArray();
        var done = new int[sequences.Length];
        var batch = new StepBatch();
        while (done.Any(d => d < Length))
        {
            batch.Clear();
            var parts = new List<(int Sequence, int Start, int Count, int Rows)>();
            foreach (var s in Enumerable.Range(0, sequences.Length).OrderBy(_ => random.Next()).Where(s => done[s] < Length).Take(random.Next(1, sequences.Length + 1)).ToArray())
            {
                var count = Math.Min(Length - done[s], random.Next(3) == 0 ? random.Next(1, 50) : 1);
                var rows = random.Next(0, count + 1);
                batch.Add(sequences[s].Tokens.AsSpan(done[s], count), done[s], sequences[s].Blocks, rows, stateSlot: s, adapter: sequences[s].Slot);
                parts.Add((s, done[s], count, rows));
                done[s] += count;
            }

            var logits = StepRunner.Forward(pipeline, batch).Span;
            foreach (var (s, start, count, rows) in parts)
            {
                Same(sequences[s].Expected.AsSpan((start + count - rows) * vocab, rows * vocab), logits[..(rows * vocab)]);
                logits = logits[(rows * vocab)..];
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Chunks_threads_and_stages_give_the_same_bits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        using var adapters = new AdapterSet(file);
        var random = new Random(3);
        int[] tokens = [.. Enumerable.Range(0, Length).Select(_ => random.Next(file.Config.VocabSize))];
        await using var baseline = StepRunner.Load(file, kernels, threads: 1);
        await adapters.LoadInto(baseline);
        var expected = One(baseline, tokens, 2, 1);
        Assert.NotEqual(expected, One(baseline, tokens, 0, 1));
        foreach (var (stages, threads) in new[] { (1, 2), (1, 3), (2, 2), (file.Config.LayerCount, 1) })
        {
            await using var pipeline = StepRunner.Load(file, kernels, stages, threads);
            await adapters.LoadInto(pipeline);
            foreach (var chunk in new[] { 1, 7, 64, Length })
                Same(expected, One(pipeline, tokens, 2, chunk));
        }
    }

    [Fact]
    public async Task A_decode_step_with_adapters_allocates_nothing()
    {
        using var file = ReferenceModel.Open("llama-q4_0");
        using var adapters = new AdapterSet(file);
        await using var pipeline = StepRunner.Load(file, threads: 1);
        await adapters.LoadInto(pipeline);
        var batch = new StepBatch();
        void Step(int position)
        {
            batch.Clear();
            for (var s = 0; s < 4; s++)
                batch.Add([position], position, [s], 1, adapter: s);
            StepRunner.Forward(pipeline, batch);
        }

        for (var i = 0; i < 4; i++)
            Step(i);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 4; i < 20; i++)
            Step(i);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    /// <summary>Logits of every position of one sequence.</summary>
    private static float[] One(LocalPipeline pipeline, int[] tokens, int slot, int chunk)
    {
        var batch = new StepBatch();
        var all = new List<float>();
        for (var start = 0; start < tokens.Length; start += chunk)
        {
            var count = Math.Min(chunk, tokens.Length - start);
            batch.Clear();
            batch.Add(tokens.AsSpan(start, count), start, [1, 5, 9, 13], count, stateSlot: 0, adapter: slot);
            all.AddRange(StepRunner.Forward(pipeline, batch).Span);
        }

        return [.. all];
    }

    private static void Same(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual) =>
        Assert.True(MemoryMarshal.AsBytes(expected).SequenceEqual(MemoryMarshal.AsBytes(actual)));
}
