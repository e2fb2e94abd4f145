using Slm.Engine.Execution;
using Slm.Engine.Fetching;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.HuggingFace;
using Slm.Engine.Tests.Stages;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Fetching;

public sealed class SparseModelTests
{
    // Small ones, so that the reference models have hundreds of them.
    internal const int Chunk = 4096;

    public static TheoryData<string> Models => [.. ReferenceModel.Names];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Stages_over_parts_of_the_file_give_the_logits_of_the_whole_split_at_each_boundary(string model)
    {
        var reference = ReferenceModel.Read(model);
        using var whole = ReferenceModel.Open(model);
        await using var pipeline = StepRunner.Load(whole);
        var expected = StepRunner.Logits(pipeline, reference.Tokens, [0, 1], int.MaxValue, encoder: reference.Encoder);
        using var workers = new WorkerPool(2);
        using var folder = new TemporaryFolder();
        var (manifest, source) = Original(model);
        for (var boundary = 1; boundary < whole.Config.LayerCount; boundary++)
        {
            var stages = new List<(ModelFile File, Stage Stage)>();
            try
            {
                foreach (var range in new[] { new LayerRange(0, boundary), new LayerRange(boundary, whole.Config.LayerCount) })
                {
                    using var fetcher = new ModelFetcher(folder[$"{boundary}-{range.First}"]);
                    var path = await fetcher.FetchAsync(model, manifest, new WeightSelection { Layers = range }, [source], null, Cancelled);
                    var file = ModelFile.Open(path);
                    stages.Add((file, Stage.Load(file, range, Options(file), workers)));
                    Assert.Equal(model, file.Name);
                    Assert.Equal(whole.Sha256, file.Sha256);

                    // What was fetched is the chunks of what the stage reads, counted where it reads, and of the head.
                    var reads = new WeightSelection { Layers = range }.ReadsOf(whole);
                    Assert.Equal(stages[^1].Stage.WeightBytes, reads.Sum(r => r.Bytes));
                    var gguf = (GgufFile)whole.Source;
                    var wanted = ByteRange.Chunks(reads.Select(r => new ByteRange(gguf.Position(r.Tensor) + r.Offset, r.Bytes)).Append(new ByteRange(0, gguf.HeadBytes)), Chunk);
                    using var map = ChunkMap.Open(path + ChunkMap.Suffix, FileAccess.Read);
                    Assert.Equal(wanted, Enumerable.Range(0, map.Count).Where(map.Has));
                    Assert.True(map.Present < map.Count, "the stage took the whole file");
                }

                Assert.Equal(expected, Logits([.. stages.Select(s => s.Stage)], reference));
            }
            finally
            {
                foreach (var (file, stage) in stages)
                {
                    stage.Dispose();
                    file.Dispose();
                }
            }
        }
    }

    [Fact]
    public async Task Every_chunk_that_a_stage_was_given_is_needed_and_its_absence_is_an_error()
    {
        const string Model = "qwen3moe-q8_0";
        using var workers = new WorkerPool(1);
        using var folder = new TemporaryFolder();
        var (manifest, source) = Original(Model);
        var range = new LayerRange(1, 2);
        string path;
        using (var fetcher = new ModelFetcher(folder.Path))
            path = await fetcher.FetchAsync(Model, manifest, new WeightSelection { Layers = range }, [source], null, Cancelled);
        int[] present;
        using (var map = ChunkMap.Open(path + ChunkMap.Suffix, FileAccess.Read))
            present = [.. Enumerable.Range(0, map.Count).Where(map.Has)];
        foreach (var chunk in present)
        {
            Mark(path, chunk, 0);
            var error = Assert.Throws<ModelFormatException>(() =>
            {
                using var file = ModelFile.Open(path);
                using var stage = Stage.Load(file, range, Options(file), workers);
            });
            Assert.Contains(Model + ".sparse", error.Message, StringComparison.Ordinal);
            Mark(path, chunk, 1);
        }

        using var complete = ModelFile.Open(path);
        using (Stage.Load(complete, range, Options(complete), workers))
        {
        }

        var missing = Assert.Throws<ModelFormatException>(() => Stage.Load(complete, new LayerRange(0, 2), Options(complete), workers));
        Assert.Matches(@"bytes \d+ to \d+ of the tensor '.+' are not in this sparse copy, which has \d+ of \d+ chunks", missing.Message);
    }

    [Fact]
    public async Task A_range_that_is_added_later_is_there_for_a_file_that_is_open()
    {
        const string Model = "llama-untied-f32";
        using var workers = new WorkerPool(1);
        using var folder = new TemporaryFolder();
        var (manifest, source) = Original(Model);
        using var fetcher = new ModelFetcher(folder.Path);
        var path = await fetcher.FetchAsync(Model, manifest, new WeightSelection { Layers = new LayerRange(0, 1) }, [source], null, Cancelled);
        using var file = ModelFile.Open(path);
        var rest = new LayerRange(1, file.Config.LayerCount);
        Assert.Throws<ModelFormatException>(() => Stage.Load(file, rest, Options(file), workers));
        var read = source.Reads.Count;
        Assert.Equal(path, await fetcher.FetchAsync(Model, manifest, new WeightSelection { Layers = rest }, [source], null, Cancelled));
        using (Stage.Load(file, rest, Options(file), workers))
        {
        }

        // Nothing is read twice, and nothing at all the second time.
        Assert.Equal(source.Reads.Count, source.Reads.Distinct().Count());
        Assert.True(source.Reads.Count > read);
        read = source.Reads.Count;
        await fetcher.FetchAsync(Model, manifest, new WeightSelection { Layers = rest }, [source], null, Cancelled);
        Assert.Equal(read, source.Reads.Count);
    }

    [Theory]
    [InlineData("qwen3moe-f32")]
    [InlineData("qwen3moe-q8_0")]
    [InlineData("llama-moe-f16")]
    [InlineData("smallthinker-f32")]
    public async Task Experts_are_fetched_alone_or_left_out(string model)
    {
        using var folder = new TemporaryFolder();
        using var whole = ReferenceModel.Open(model);
        var (manifest, source) = Original(model);
        var layers = new LayerRange(0, whole.Config.LayerCount);
        var experts = whole.Config.Experts!;
        using var fetcher = new ModelFetcher(folder.Path);
        var path = await fetcher.FetchAsync(model, manifest, new WeightSelection { Layers = layers, Experts = [1, 2], OnlyExperts = true }, [source], null, Cancelled);
        using (var sparse = ModelFile.Open(path))
        {
            foreach (var tensor in sparse.Source.Tensors.Where(t => t.Name.Contains("_exps", StringComparison.Ordinal)))
            {
                whole.Source.TryGetTensor(tensor.Name, out var original);
                foreach (var expert in new[] { 1, 2 })
                    Assert.True(Matrix(sparse, tensor, expert).SequenceEqual(Matrix(whole, original!, expert)));
                Assert.Throws<ModelFormatException>(() => sparse.Source.Bytes(tensor));
                Assert.Throws<ModelFormatException>(() => Matrix(sparse, tensor, experts.Count - 1).Length);
            }
        }

        // The other part: all but experts, then the experts; together the whole.
        var rest = new WeightSelection { Layers = layers, Experts = [] }.ReadsOf(whole);
        Assert.DoesNotContain(rest, read => read.Expert is not null);
        var others = new WeightSelection { Layers = layers, OnlyExperts = true }.ReadsOf(whole);
        var routed = whole.Source.Tensors.Count(t => t.Name.EndsWith("ffn_gate_inp.weight", StringComparison.Ordinal));
        Assert.Equal(3 * experts.Count * routed, others.Count);
        Assert.All(others, read => Assert.NotNull(read.Expert));
        Assert.Equal(whole.Source.Tensors.Sum(t => t.ByteLength), rest.Concat(others).Sum(read => read.Bytes));
    }

    [Fact]
    public void The_rest_of_a_bert_and_of_fused_tensors_is_known_as_well()
    {
        using var bert = RandomBert.Write(pooling: 2);
        using var file = ModelFile.Open(bert.Path);
        using var workers = new WorkerPool(1);
        foreach (var range in new[] { new LayerRange(0, 1), new LayerRange(1, 2), new LayerRange(0, 2) })
        {
            using var stage = Stage.Load(file, range, Options(file), workers);
            Assert.Equal(stage.WeightBytes, new WeightSelection { Layers = range }.ReadsOf(file).Sum(read => read.Bytes));
        }
    }

    [Fact]
    public async Task What_cannot_be_fetched_in_parts_is_refused()
    {
        using var folder = new TemporaryFolder();
        using var reference = new ReferenceFolder("llama-untied-f32");
        reference.Write();
        using var fetcher = new ModelFetcher(folder.Path);
        var manifest = ManifestBuilder.Compute(reference.Folder, 1, progress: null, Cancelled);
        var all = new WeightSelection { Layers = new LayerRange(0, 1) };
        Assert.Contains("only GGUF files can be fetched in parts",
            (await Assert.ThrowsAsync<NotSupportedException>(() => fetcher.FetchAsync("m", manifest, all, [], null, Cancelled))).Message, StringComparison.Ordinal);
        using (var file = ModelFile.Open(reference.Folder))
            Assert.Contains("for GGUF files only", Assert.Throws<NotSupportedException>(() => all.RangesIn(file)).Message, StringComparison.Ordinal);

        var (gguf, source) = Original("qwen3moe-f32");
        foreach (var name in new[] { "", ".", "..", "a/b", "a\\b", "c:d" })
            await Assert.ThrowsAsync<ArgumentException>(() => fetcher.FetchAsync(name, gguf, all, [source], null, Cancelled));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => fetcher.FetchAsync("m", gguf, new WeightSelection { Layers = new LayerRange(0, 99) }, [source], null, Cancelled));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => fetcher.FetchAsync("m", gguf, all with { Experts = [99] }, [source], null, Cancelled));
    }

    [Fact]
    public async Task A_copy_without_its_map_or_head_is_not_taken_for_a_model()
    {
        using var folder = new TemporaryFolder();
        var (manifest, source) = Original("llama-q4_0");
        string path;
        using (var fetcher = new ModelFetcher(folder.Path))
            path = await fetcher.FetchAsync("m", manifest, new WeightSelection { Layers = new LayerRange(0, 1) }, [source], null, Cancelled);
        Mark(path, 0, 0);
        Assert.Throws<ModelFormatException>(() => ModelFile.Open(path));
        File.Delete(path + ChunkMap.Suffix);
        Assert.Contains("is missing, which says what of this sparse copy is there", Assert.Throws<ModelFormatException>(() => ModelFile.Open(path)).Message, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(path + ChunkMap.Suffix, new byte[200], Cancelled);
        Assert.Contains("no list of chunks", Assert.Throws<ModelFormatException>(() => ModelFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_model_is_refused_after_its_first_chunk()
    {
        using var folder = new TemporaryFolder();
        var bytes = new byte[100 * Chunk];
        using var file = new TemporaryFile(bytes);
        using var fetcher = new ModelFetcher(folder.Path);
        var manifest = ManifestBuilder.Compute(file.Path, 1, Chunk, progress: null, Cancelled);
        var source = new MemorySource(bytes);
        await Assert.ThrowsAsync<ModelFormatException>(() => fetcher.FetchAsync("m", manifest, new WeightSelection { Layers = new LayerRange(0, 1) }, [source], null, Cancelled));
        Assert.Single(source.Reads);
    }

    internal static (ModelManifest Manifest, MemorySource Source) Original(string model)
    {
        var path = ReferenceModels.Path(model);
        return (ManifestBuilder.Compute(path, 1, Chunk, progress: null, CancellationToken.None), new MemorySource(File.ReadAllBytes(path)));
    }

    private static StageOptions Options(ModelFile file) =>
        new() { BlockCount = 4, StateSlots = 4, MaxStepTokens = file.Config.StepTokens(256) };

    private static unsafe ReadOnlySpan<byte> Matrix(ModelFile file, TensorInfo tensor, int expert) => new(file.Source.Matrix(tensor, expert), (int)ModelSource.MatrixBytes(tensor));

    private static void Mark(string path, int chunk, byte mark)
    {
        using var map = new FileStream(path + ChunkMap.Suffix, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        map.Position = 128 + chunk;
        map.WriteByte(mark);
    }

    private static float[] Logits(Stage[] stages, ReferenceModel reference)
    {
        if (reference.Encoder.Length > 0)
        {
            var encode = new StepBatch { Encodes = true };
            encode.Add(reference.Encoder, 0, [0, 1], 0);
            Run(stages, encode);
        }

        var batch = new StepBatch();
        batch.Add(reference.Tokens, 0, [0, 1], reference.Tokens.Length, stateSlot: 0, encoderTokens: reference.Encoder.Length);
        return Run(stages, batch).ToArray();
    }

    private static ReadOnlyMemory<float> Run(Stage[] stages, StepBatch batch)
    {
        ReadOnlyMemory<float> rows = default;
        foreach (var stage in stages)
            rows = stage.Forward(batch, rows, StepOutput.Logits);
        return rows;
    }
}
