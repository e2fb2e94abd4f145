using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Stages;

public sealed class StageTests
{
    [Theory]
    [InlineData("llama-untied-f32")]
    [InlineData("llama-tied-f16")]
    [InlineData("llama-q4_0")]
    [InlineData("qwen3moe-q8_0")]
    public async Task A_decode_step_allocates_nothing(string model)
    {
        using var file = ReferenceModel.Open(model);
        await using var pipeline = StepRunner.Load(file, stages: 2);
        var batch = new StepBatch();
        int[] table = [0, 1, 2];
        int[] token = [5];
        void Step(int position)
        {
            batch.Clear();
            batch.Add(token, position, table, 1);
            StepRunner.Forward(pipeline, batch);
        }

        // What runs for the first time may initialize types.
        for (var position = 0; position < 90; position++)
            Step(position);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var position = 1; position < 90; position++)
            Step(position);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData(-1, 0, 0, "Token -1")]
    [InlineData(100000, 0, 0, "Token 100000")]
    [InlineData(1, -1, 0, "KV block -1")]
    [InlineData(1, 4, 0, "KV block 4")]
    [InlineData(1, 0, 32, "1 blocks of 32")]
    [InlineData(1, 0, int.MaxValue, "1 blocks of 32")]
    public void A_step_that_names_what_does_not_exist_is_refused(int token, int block, int position, string message)
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        using var stage = Stage.Load(file, new LayerRange(0, file.Config.LayerCount), new StageOptions { BlockCount = 4 }, workers);
        var batch = new StepBatch();
        batch.Add([token], position, [block], 1);
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => stage.Forward(batch, default, StepOutput.Logits)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_or_input_of_the_wrong_size_is_refused()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        var options = new StageOptions { BlockCount = 4, MaxStepTokens = 8 };
        using var first = Stage.Load(file, new LayerRange(0, 1), options, workers);
        using var second = Stage.Load(file, new LayerRange(1, file.Config.LayerCount), options, workers);
        var batch = new StepBatch();
        batch.Add(new int[9], 0, [0], 1);
        Assert.Throws<ArgumentException>(() => first.Forward(batch, default, StepOutput.Logits));
        batch.Clear();
        batch.Add(new int[2], 0, [0], 1);
        Assert.Throws<ArgumentException>(() => second.Forward(batch, new float[file.Config.HiddenSize], StepOutput.Logits));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 2)]
    [InlineData(0, 1000)]
    [InlineData(2, 1)]
    public void A_range_outside_the_model_is_refused(int first, int end)
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => Stage.Load(file, new LayerRange(first, end), new StageOptions { BlockCount = 4 }, workers));
    }

    [Fact]
    public async Task Options_out_of_range_are_refused_and_the_context_can_be_shortened()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalPipeline.Load(file, new LocalPipelineOptions { Stages = 1000 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalPipeline.Load(file, new LocalPipelineOptions { KvCacheBytes = 10 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalPipeline.Load(file, new LocalPipelineOptions { BlockSize = 20 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => LocalPipeline.Load(file, new LocalPipelineOptions { ContextLength = file.Config.ContextLength + 1 }));
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { ContextLength = 40 });
        Assert.Equal(40, pipeline.Config.ContextLength);
        Assert.Equal(4 * 2, pipeline.BlockCount);
    }

    [Fact]
    public void A_large_cache_costs_nothing_until_it_is_used()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        var perBlock = CachePlan.BytesPerToken(file.Config, KvType.F32) * 32;
        var before = Environment.WorkingSet;
        using var stage = Stage.Load(
            file, new LayerRange(0, file.Config.LayerCount), new StageOptions { BlockCount = (int)((2L << 30) / perBlock) }, workers);
        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 512L << 20);
    }

    [Fact]
    public void Memory_is_reported()
    {
        using var file = ReferenceModel.Open("qwen3-f32");
        using var workers = new WorkerPool(1);
        var c = file.Config;
        using var stage = Stage.Load(file, new LayerRange(0, c.LayerCount), new StageOptions { BlockCount = 4 }, workers);
        Assert.Equal(c.LayerCount * c.KeyValueHeadCount * c.HeadSize * 2L * sizeof(float), stage.KvBytesPerToken);
        Assert.Equal(file.Source.Tensors.Sum(t => t.ByteLength), stage.WeightBytes);
    }

    [Theory]
    [InlineData("llama-q8_0")]
    [InlineData("llama-q4_k_m")]
    [InlineData("qwen3moe-q8_0")]
    public async Task Steps_give_the_same_bits_before_and_after_the_stage_has_settled(string model)
    {
        using var file = ReferenceModel.Open(model);
        int[] tokens = [.. Enumerable.Range(1, 40)];
        await using var pipeline = StepRunner.Load(file, stages: 2);
        var before = StepRunner.Logits(pipeline, tokens, [0, 1, 2], 40);
        await pipeline.Settled;
        Assert.Equal(before, StepRunner.Logits(pipeline, tokens, [3, 4, 5], 40));
    }

    [Fact]
    public async Task A_disposed_stage_counts_as_settled()
    {
        using var file = ReferenceModel.Open("llama-q8_0");
        var pipeline = StepRunner.Load(file);
        await pipeline.DisposeAsync();
        await pipeline.Settled;
    }

    [Fact]
    public void A_disposed_stage_refuses_steps()
    {
        using var file = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        var stage = Stage.Load(file, new LayerRange(0, file.Config.LayerCount), new StageOptions { BlockCount = 4 }, workers);
        stage.Dispose();
        var batch = new StepBatch();
        batch.Add([1], 0, [0], 1);
        Assert.Throws<ObjectDisposedException>(() => stage.Forward(batch, default, StepOutput.Logits));
    }

    [Fact]
    public void The_fingerprint_names_kernels_activations_and_cache()
    {
        Assert.Matches("^(fma|portable)-a8b32-kvq16-[0-9]+$", Numerics.Fingerprint(KvType.Q16, roundedResidual: false));
        Assert.Equal(Numerics.Fingerprint(KvType.Q16, roundedResidual: false) + "-r16", Numerics.Fingerprint(KvType.Q16, roundedResidual: true));
    }
}
