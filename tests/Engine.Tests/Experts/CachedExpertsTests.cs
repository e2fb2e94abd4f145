using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Experts;

/// <summary>Experts read from the file under a budget give the bits that resident ones give.</summary>
public sealed class CachedExpertsTests
{
    private const int Length = 60;
    [Theory]
    [MemberData(nameof(ExpertModels.Cases), MemberType = typeof(ExpertModels))]
    public async Task The_least_memory_gives_the_logits_of_resident_experts_in_waves_of_any_chunk(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, kernels, Length);
        foreach (var threads in new[] { 1, 3 })
        {
            await using var pipeline = Cached(file, kernels, LeastMemory(file, kernels), threads);
            foreach (var chunk in new[] { 1, 7, Length })
                ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, chunk));
            var stats = pipeline.Stages[0].Experts!;
            Assert.Equal(file.Config.Experts!.UsedCount, stats.Slots);
            Assert.True(stats.Misses > 0 && stats.BytesRead > 0);
        }
    }

    [Theory]
    [MemberData(nameof(ExpertModels.Cases), MemberType = typeof(ExpertModels))]
    public async Task Company_prefetch_and_reading_mode_do_not_change_the_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, kernels, Length);
        var vocab = file.Config.VocabSize;
        foreach (var (prefetch, direct) in new[] { (true, true), (false, true), (true, false) })
        {
            await using var pipeline = LocalPipeline.Load(file, Options(kernels, LeastMemory(file, kernels) * 2) with
            {
                ExpertPrefetch = prefetch,
                ExpertOptions = o => o with { DirectReads = direct },
            });
            var batch = new StepBatch();
            for (var start = 0; start < Length; start += 2)
            {
                batch.Clear();
                batch.Add(tokens.AsSpan(Length - 1 - start, 1), 0, [11], 1);
                batch.Add(tokens.AsSpan(start, 2), start, ExpertModels.Blocks, 2);
                ExpertModels.Same(expected.AsSpan(start * vocab, 2 * vocab), StepRunner.Forward(pipeline, batch).Span[vocab..]);
            }
        }
    }

    [Theory]
    [InlineData("qwen3moe-q8_0")]
    [InlineData("smallthinker-f32")]
    public async Task Stages_share_the_memory_and_give_the_same_logits(string model)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        var stages = file.Config.LayerCount;
        await using var pipeline = LocalPipeline.Load(file, Options(null, LeastMemory(file, null) * stages) with { Stages = stages });
        Assert.All(pipeline.Stages, stage => Assert.InRange(stage.Experts!.MemoryBytes, 1, LeastMemory(file, null)));
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 9));
    }

    [Fact]
    public async Task With_memory_for_all_every_expert_is_read_once()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        await using var pipeline = Cached(file, null, 1L << 30, threads: 2);
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 1));
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 1));
        var stats = pipeline.Stages[0].Experts!;
        Assert.Equal(stats.Experts, stats.Slots);
        var each = Stored(file) / stats.Experts;
        Assert.Equal(stats.Misses * each, stats.BytesRead);
        Assert.InRange(stats.Misses, 1, stats.Experts);
        Assert.Equal(2L * Length * file.Config.LayerCount * file.Config.Experts!.UsedCount, stats.Hits + stats.Misses);
    }

    [Fact]
    public async Task Too_little_memory_is_refused_with_the_least_that_would_do()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        var least = LeastMemory(file, null);
        var error = Assert.Throws<ExpertMemoryException>(() => Cached(file, null, least - 1, threads: 1));
        Assert.Equal(least, error.LeastBytes);
        Assert.Contains(least.ToString(System.Globalization.CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);
        await using var pipeline = Cached(file, null, least, threads: 1);
        Assert.Equal(file.Config.Experts!.UsedCount, pipeline.Stages[0].Experts!.Slots);
    }

    [Fact]
    public async Task The_sizes_said_beforehand_are_those_of_the_cache()
    {
        foreach (var model in ExpertModels.Names)
        {
            using var file = ReferenceModel.Open(model);
            var sizes = ExpertSizes.Of(file)!;
            Assert.Equal(LeastMemory(file, null), sizes.LeastBytes);
            Assert.Equal(0, sizes.SlotsOf(sizes.LeastBytes - 1));
            await using var pipeline = Cached(file, null, sizes.LeastBytes + (2 * sizes.ExpertBytes), threads: 1);
            Assert.Equal(pipeline.Stages[0].Experts!.Slots, sizes.SlotsOf(sizes.LeastBytes + (2 * sizes.ExpertBytes)));
            Assert.Equal(pipeline.Stages[0].Experts!.Experts, sizes.Layers * sizes.Count);
        }

        using var dense = ReferenceModel.Open("llama-q4_0");
        Assert.Null(ExpertSizes.Of(dense));
    }

    [Fact]
    public async Task Models_without_experts_do_not_mind()
    {
        using var file = ReferenceModel.Open("llama-q4_0");
        await using var pipeline = Cached(file, null, 1, threads: 1);
        Assert.Null(pipeline.Stages[0].Experts);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public async Task A_failed_read_fails_the_step_and_the_next_tries_again(int failing)
    {
        using var file = ReferenceModel.Open("smallthinker-f32");
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        var reads = 0;
        var fails = true;
        await using var pipeline = LocalPipeline.Load(file, Options(null, LeastMemory(file, null)) with
        {
            ExpertOptions = o => o with
            {
                Reading = (_, _) =>
                {
                    if (Volatile.Read(ref fails) && Interlocked.Increment(ref reads) > failing)
                        throw new IOException("the disk is gone");
                },
            },
        });
        for (var i = 0; i < 3; i++)
        {
            var error = Assert.Throws<ExpertReadException>(() => StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 20));
            Assert.Contains("the disk is gone", error.Message, StringComparison.Ordinal);
            Assert.Contains("smallthinker-f32.gguf", error.Message, StringComparison.Ordinal);
        }

        Volatile.Write(ref fails, false);
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 20));
    }

    [Fact]
    public async Task Disposal_waits_for_the_reads_that_run()
    {
        using var file = ReferenceModel.Open("smallthinker-f32");
        using var begun = new SemaphoreSlim(0);
        using var mayGoOn = new ManualResetEventSlim();
        using var cancelled = new CancellationTokenSource();
        var pipeline = LocalPipeline.Load(file, Options(null, LeastMemory(file, null)) with
        {
            ExpertOptions = o => o with
            {
                Reading = (_, _) =>
                {
                    begun.Release();
                    mayGoOn.Wait(TestContext.Current.CancellationToken);
                },
            },
        });
        var batch = new StepBatch();
        batch.Add([1], 0, ExpertModels.Blocks, 1);
        var step = Task.Run(() => pipeline.Stages[0].Run(batch, default, StepOutput.Logits, cancelled.Token), TestContext.Current.CancellationToken);
        await begun.WaitAsync(TestContext.Current.CancellationToken);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => step);
        var disposal = Task.Run(async () => await pipeline.DisposeAsync(), TestContext.Current.CancellationToken);
        Assert.False(disposal.IsCompleted);
        mayGoOn.Set();
        await disposal;
    }

    [Fact]
    public void A_file_that_was_replaced_is_refused()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.gguf");
        try
        {
            File.Copy(ReferenceModels.Path("qwen3moe-q8_0"), path);
            using var file = ModelFile.Open(path);
            File.Delete(path);
            File.Copy(ReferenceModels.Path("llama-untied-f32"), path);
            Assert.ThrowsAny<IOException>(() => Cached(file, null, 1 << 30, threads: 1));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_cancelled_token_ends_a_step_that_would_wait()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await using var pipeline = Cached(file, null, LeastMemory(file, null), threads: 2);
        var batch = new StepBatch();
        batch.Add(tokens, 0, ExpertModels.Blocks, 1);
        Assert.ThrowsAny<OperationCanceledException>(() => pipeline.Stages[0].Run(batch, default, StepOutput.Logits, cancelled.Token));
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 13));
    }

    [Fact]
    public async Task A_decode_step_does_not_allocate()
    {
        using var file = ReferenceModel.Open("smallthinker-f32");
        await using var pipeline = Cached(file, null, LeastMemory(file, null), threads: 2);
        var stage = pipeline.Stages[0];
        var batch = new StepBatch();
        long Step(int position)
        {
            batch.Clear();
            batch.Add([position * 7 % file.Config.VocabSize], position, ExpertModels.Blocks, 1);
            var before = GC.GetAllocatedBytesForCurrentThread();
            stage.Forward(batch, default, StepOutput.Logits);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        var allocated = Enumerable.Range(0, 40).Select(Step).ToArray();
        Assert.True(stage.Experts!.Misses > 40);
        Assert.Equal(0, allocated[20..].Sum());
    }

    private static LocalPipeline Cached(ModelFile file, string? kernels, long memory, int threads) =>
        LocalPipeline.Load(file, Options(kernels, memory) with { Threads = threads });

    private static LocalPipelineOptions Options(string? kernels, long memory) => new()
    {
        Threads = 2,
        KvCacheBytes = 32 << 20,
        Kernels = StepRunner.Kernels(kernels),
        ExpertMemory = memory,
    };

    private static long LeastMemory(ModelFile file, string? kernels) =>
        Assert.Throws<ExpertMemoryException>(() => LocalPipeline.Load(file, Options(kernels, 1))).LeastBytes;

    private static long Stored(ModelFile file) => file.Source.Tensors.Where(t => t.Name.Contains("_exps", StringComparison.Ordinal)).Sum(t => t.ByteLength);
}
