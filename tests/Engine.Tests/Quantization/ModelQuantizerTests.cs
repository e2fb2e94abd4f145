using System.Text.RegularExpressions;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Quantization;

public sealed class ModelQuantizerTests
{
    private static CancellationToken None => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Q8_0", 0.3)]
    [InlineData("Q6_K", 0.6)]
    [InlineData("Q4_K_M", 1.6)]
    public async Task A_quantized_model_runs_and_its_logits_are_near(string recipe, double tolerance)
    {
        var reference = ReferenceModel.Read("llama-untied-f32");
        using var path = new TemporaryFile();
        var tensors = Quantize(path.Path, recipe);
        Assert.All(tensors.Where(t => t.From != t.To), t => Assert.InRange(t.RootMeanSquareError, 0, 0.1 * t.RootMeanSquare));
        using var file = ModelFile.Open(path.Path);
        await using var pipeline = StepRunner.Load(file);
        var logits = StepRunner.Logits(pipeline, reference.Tokens, [0, 1, 2, 3], int.MaxValue)[^reference.Last.Length..];
        var rms = Math.Sqrt(logits.Zip(reference.Last, (a, b) => ((double)a - b) * (a - b)).Average());
        TestContext.Current.TestOutputHelper?.WriteLine($"{recipe}: rms {rms:g3}");

        // Of a standard deviation of 2.5; noise weights forgive less than trained ones.
        Assert.InRange(rms, 0, tolerance);
    }

    [Fact]
    public void Reported_errors_are_those_of_the_file()
    {
        using var path = new TemporaryFile();
        var tensors = Quantize(path.Path, "Q4_0");
        using var source = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
        using var target = GgufFile.Open(path.Path);
        foreach (var tensor in tensors)
        {
            Assert.True(source.TryGetTensor(tensor.Name, out var before));
            Assert.True(target.TryGetTensor(tensor.Name, out var after));
            Assert.Equal(tensor.To, after.Type);
            Assert.Equal(tensor.BytesAfter, after.ByteLength);
            var a = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(source.Bytes(before)).ToArray();
            var b = PeerTensors.Dequantize(after.Type, target.Bytes(after).ToArray(), (int)after.Columns);
            Assert.Equal(Math.Sqrt(PeerTensors.Error(a, b, null) / a.Length), tensor.RootMeanSquareError, 1e-9);
            Assert.Equal(a.Zip(b, (x, y) => Math.Abs((double)x - y)).Max(), tensor.MaxError);
        }
    }

    [Fact]
    public void The_file_does_not_depend_on_the_threads()
    {
        using var one = new TemporaryFile();
        using var three = new TemporaryFile();
        Quantize(one.Path, "Q5_K_M", o => o with { Threads = 1 });
        Quantize(three.Path, "Q5_K_M", o => o with { Threads = 3 });
        Assert.Equal(File.ReadAllBytes(one.Path), File.ReadAllBytes(three.Path));
    }

    [Fact]
    public void Metadata_stays_but_for_what_describes_the_types()
    {
        using var path = new TemporaryFile();
        Quantize(path.Path, "Q4_K_S");
        using var source = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
        using var target = GgufFile.Open(path.Path);
        foreach (var (key, value) in source.Metadata.Where(m => m.Key is not ("general.file_type" or "general.quantization_version")))
            Assert.Equal(value, target.Metadata[key]);
        Assert.Equal(14u, target.Metadata["general.file_type"]);
        Assert.Equal(2u, target.Metadata["general.quantization_version"]);
    }

    [Fact]
    public void Cancelling_leaves_no_file()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            using var source = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
            Assert.Throws<OperationCanceledException>(() => ModelQuantizer.Quantize(
                source, Path.Combine(folder.FullName, "out.gguf"), Options("Q4_0"), null, new CancellationToken(canceled: true)));
            Assert.Empty(folder.GetFileSystemInfos());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Values_that_are_not_finite_are_named()
    {
        using var input = new TemporaryFile();
        using var output = new TemporaryFile();
        float[] values = [.. Enumerable.Repeat(1f, 128)];
        values[70] = float.NaN;
        var writer = new GgufWriter();
        writer.Add("general.architecture", "llama");
        writer.AddTensor("bad.weight", TensorType.F32, [64, 2], System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
        writer.Write(input.Path);
        using var source = GgufFile.Open(input.Path);
        var error = Assert.Throws<ModelFormatException>(() => ModelQuantizer.Quantize(source, output.Path, Options("Q8_0"), null, None));
        Assert.Contains("row 1 of the tensor 'bad.weight'", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(output.Path));
    }

    [Fact]
    public void Quantizing_again_must_be_allowed()
    {
        using var source = GgufFile.Open(ReferenceModels.Path("llama-q8_0"));
        using var path = new TemporaryFile();
        var error = Assert.Throws<ModelFormatException>(() => ModelQuantizer.Quantize(source, path.Path, Options("Q4_0"), null, None));
        Assert.Contains("is Q8_0", error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(ModelQuantizer.Quantize(source, path.Path, Options("Q4_0") with { AllowRequantize = true }, null, None));
    }

    [Fact]
    public void Overrides_and_importances_reach_the_tensors()
    {
        using var source = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
        Assert.True(source.TryGetTensor("blk.0.ffn_up.weight", out var up));
        var importances = new ImportanceMatrix(new Dictionary<string, ImportanceEntry>
        {
            ["blk.0.ffn_up.weight"] = new([.. Enumerable.Range(0, (int)up.Columns).Select(c => 1f + c)], [5]),
        });
        using var path = new TemporaryFile();
        var options = Options("Q4_0") with { Overrides = [(new Regex("attn_k"), TensorType.Q8_0)], Importances = importances, ImportanceFile = "a/b.gguf" };
        var tensors = ModelQuantizer.Quantize(source, path.Path, options, null, None);
        Assert.Equal("blk.0.ffn_up.weight", Assert.Single(tensors, t => t.Weighted).Name);
        Assert.All(tensors.Where(t => t.Name.Contains("attn_k.", StringComparison.Ordinal)), t => Assert.Equal(TensorType.Q8_0, t.To));
        using var target = GgufFile.Open(path.Path);
        Assert.Equal("b.gguf", target.Metadata["quantize.imatrix.file"]);

        var foreign = new ImportanceMatrix(new Dictionary<string, ImportanceEntry> { ["blk.0.ffn_up.weight"] = new([1, 2, 3], [1]) });
        var error = Assert.Throws<ModelFormatException>(() => ModelQuantizer.Quantize(source, path.Path, options with { Importances = foreign }, null, None));
        Assert.Contains("belongs to another model", error.Message, StringComparison.Ordinal);
    }

    private static QuantizationOptions Options(string recipe) =>
        new() { Recipe = QuantizationRecipe.TryGet(recipe, out var known) ? known : throw new ArgumentException(recipe), Threads = 2 };

    private static IReadOnlyList<QuantizedTensor> Quantize(string path, string recipe, Func<QuantizationOptions, QuantizationOptions>? change = null)
    {
        using var source = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
        return ModelQuantizer.Quantize(source, path, change is null ? Options(recipe) : change(Options(recipe)), null, None);
    }
}
