using System.Text;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Kernels;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Quantization;

public sealed class ImportanceMatrixTests
{
    private const string Model = "llama-untied-f32";

    [Fact]
    public async Task Mean_squares_of_the_first_inputs_are_those_of_the_normed_embeddings()
    {
        var reference = ReferenceModel.Read(Model);
        using var file = ReferenceModel.Open(Model);
        var collector = new ImportanceCollector();
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 2, KvCacheBytes = 32 << 20, Observer = collector });
        StepRunner.Logits(pipeline, reference.Tokens, [0, 1, 2, 3], 7);
        var matrix = collector.ToMatrix("text", 1, reference.Tokens.Length);

        var (embeddings, norm) = (Floats(file, "token_embd.weight"), Floats(file, "blk.0.attn_norm.weight"));
        var size = norm.Length;
        var expected = new double[size];
        foreach (var token in reference.Tokens)
        {
            var row = ScalarTwins.RmsNorm(embeddings.AsSpan(token * size, size), norm, file.Config.NormEpsilon);
            for (var c = 0; c < size; c++)
                expected[c] += row[c] * row[c] / reference.Tokens.Length;
        }

        foreach (var name in new[] { "attn_q", "attn_k", "attn_v" })
        {
            var entry = matrix.Entries[$"blk.0.{name}.weight"];
            Assert.Equal([reference.Tokens.Length], entry.Counts);
            for (var c = 0; c < size; c++)
                Assert.Equal(1, entry.MeanSquares[c] / expected[c], 1e-5);
        }

        var matrices = file.Source.Tensors.Where(t => t.Shape.Count == 2 && t.Name != "token_embd.weight").Select(t => t.Name);
        Assert.Equal(matrices.Order(), matrix.Entries.Keys.Order());
    }

    [Fact]
    public async Task Observing_changes_no_bit()
    {
        var reference = ReferenceModel.Read("llama-q4_0");
        using var file = ReferenceModel.Open("llama-q4_0");
        await using var plain = StepRunner.Load(file);
        await using var observed = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 2, KvCacheBytes = 32 << 20, Observer = new ImportanceCollector() });
        Assert.Equal(StepRunner.Logits(plain, reference.Tokens, [0, 1, 2, 3], 9), StepRunner.Logits(observed, reference.Tokens, [0, 1, 2, 3], 9));
    }

    [Fact]
    public async Task Experts_are_observed_each_for_itself()
    {
        var collector = new ImportanceCollector();
        using var file = ReferenceModel.Open("qwen3moe-f32");
        var experts = file.Config.Experts!;
        const int Tokens = 40;
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1, KvCacheBytes = 32 << 20, Observer = collector });
        StepRunner.Logits(pipeline, [.. Enumerable.Range(5, Tokens)], [0, 1, 2, 3], 9);
        var matrix = collector.ToMatrix("text", 1, Tokens);
        var down = matrix.Entries["blk.1.ffn_down_exps.weight"];
        Assert.Equal(experts.Count, down.Counts.Length);
        Assert.Equal(experts.Count * experts.FeedForwardSize, down.MeanSquares.Length);
        Assert.Equal(Tokens * experts.UsedCount, down.Counts.Sum());
        Assert.True(file.Source.TryGetTensor("blk.1.ffn_down_exps.weight", out var tensor));
        Assert.NotNull(matrix.Of(tensor));

        // Every visit brings the normed row of its token, so the experts' sums make up the router's, as often as it chose.
        var gate = matrix.Entries["blk.1.ffn_gate_exps.weight"];
        var router = matrix.Entries["blk.1.ffn_gate_inp.weight"];
        var columns = file.Config.HiddenSize;
        for (var column = 0; column < columns; column++)
        {
            var sum = gate.Counts.Select((count, e) => count * (double)gate.MeanSquares[(e * columns) + column]).Sum();
            Assert.Equal(router.MeanSquares[column] * Tokens * experts.UsedCount, sum, 1e-4 * sum);
        }
    }

    [Fact]
    public void A_matrix_is_read_as_it_was_written()
    {
        using var path = new TemporaryFile();
        var written = new ImportanceMatrix(new Dictionary<string, ImportanceEntry>
        {
            ["a.weight"] = new([1, 2, 3.5f, 0], [4]),
            ["experts.weight"] = new([1, 2, 3, 4, 1, 1], [8, 2, 0]),
        })
        { Datasets = ["text"], ChunkCount = 3, ChunkTokens = 512 };
        written.Write(path.Path);
        var read = ImportanceMatrix.Read(path.Path);
        Assert.Equal(["text"], read.Datasets);
        Assert.Equal((3, 512), (read.ChunkCount, read.ChunkTokens));
        foreach (var (name, entry) in written.Entries)
        {
            Assert.Equal(entry.MeanSquares, read.Entries[name].MeanSquares);
            Assert.Equal(entry.Counts, read.Entries[name].Counts);
        }
    }

    [Fact]
    public void The_older_form_is_read()
    {
        using var path = new TemporaryFile(Legacy(2, "a.weight", 4, [4, 8, 12]));
        var matrix = ImportanceMatrix.Read(path.Path);
        Assert.Equal([1, 2, 3], matrix.Entries["a.weight"].MeanSquares);
        Assert.Equal(2, matrix.Entries.Count);
        Assert.Equal(9, matrix.ChunkCount);
        Assert.Equal(["wiki"], matrix.Datasets);
    }

    [Fact]
    public void Damaged_files_are_refused_with_the_reason()
    {
        var whole = Legacy(2, "a.weight", 4, [4, 8, 12]);
        for (var length = 0; length < whole.Length - 16; length++)
        {
            using var cut = new TemporaryFile(whole.AsSpan(0, length));
            Assert.ThrowsAny<Exception>(() => ImportanceMatrix.Read(cut.Path));
        }

        foreach (var (bytes, reason) in new[]
        {
            (Legacy(int.MaxValue, "a", 1, [1]), "the number of entries is 2147483647"),
            (Legacy(2, "a", 1, [float.NaN]), "value 0 of 'a' is NaN"),
            (Legacy(2, "a", 1, [-1]), "value 0 of 'a' is -1"),
            (Legacy(2, "b.weight", 1, [1]), "occurs twice"),
        })
        {
            using var path = new TemporaryFile(bytes);
            Assert.Contains(reason, Assert.Throws<ModelFormatException>(() => ImportanceMatrix.Read(path.Path)).Message, StringComparison.Ordinal);
        }

        using var model = GgufFile.Open(ReferenceModels.Path(Model));
        Assert.Contains("general.type", Assert.Throws<ModelFormatException>(() => ImportanceMatrix.Read(model.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>A .dat file with an entry and one called "b.weight", 9 chunks of "wiki".</summary>
    private static byte[] Legacy(int count, string name, int chunks, float[] values)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        void Entry(string entry, int calls, float[] sums)
        {
            writer.Write(entry.Length);
            writer.Write(Encoding.UTF8.GetBytes(entry));
            writer.Write(calls);
            writer.Write(sums.Length);
            Array.ForEach(sums, writer.Write);
        }

        writer.Write(count);
        Entry(name, chunks, values);
        Entry("b.weight", 1, [1]);
        writer.Write(9);
        writer.Write(4);
        writer.Write("wiki"u8);
        return stream.ToArray();
    }

    private static float[] Floats(ModelFile file, string name) => file.Source.TryGetTensor(name, out var tensor)
        ? System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Source.Bytes(tensor)).ToArray() : throw new KeyNotFoundException(name);
}
