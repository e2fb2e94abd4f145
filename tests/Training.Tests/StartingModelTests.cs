using Slm.Engine.Formats;
using Slm.Training.Configuration;
using Slm.Training.Export;
using Slm.Training.Kernels;
using Slm.Training.Model;
using Slm.Training.Pretraining;

namespace Slm.Training.Tests;

/// <summary>Models that are trained further.</summary>
public sealed class StartingModelTests
{
    private const string Training = "training: { tokens: 5_120, batch_tokens: 512, micro_batch_tokens: 128, precision: f32, peak_learning_rate: 1e-3, warmup_steps: 1, evaluate_every: 10 }";

    private static string References { get; } = FindReferences();

    [Fact]
    public void A_run_begins_where_the_model_file_ended()
    {
        using var folder = new TemporaryFolder();
        var config = PretrainConfigReader.Read(TinyRun.Yaml);
        var (vocabulary, train, validation) = TinyRun.Data(config);
        using var first = new PretrainRun<SingleStorage>(config, train, validation, null);
        Assert.True(first.Run(_ => { }, TestContext.Current.CancellationToken));
        var path = folder.In("tiny.gguf");
        GgufExport.Write(path, config with { Export = new ExportConfig { Type = "f32" } }, first.Layout, first.Weights, vocabulary, first.State.Tokens);

        var further = PretrainConfigReader.Read($"name: more\nseed: 9\nstart_from: {path}\n{Training}");
        Assert.Equal(config.Model, further.Model);
        using var second = new PretrainRun<SingleStorage>(further, train, validation, null);
        Assert.Equal(first.Weights.ToArray(), second.Weights.ToArray());
        var before = first.Validate();
        Assert.Equal(before, second.Validate());
        Assert.True(second.Run(_ => { }, TestContext.Current.CancellationToken));
        Assert.True(second.Validate() < before);

        using var start = StartingModel.Open(path);
        var read = start.ReadVocabulary();
        Assert.Equal(vocabulary.Merges, read.Merges);
        Assert.Equal((vocabulary.Size, vocabulary.EndOfTextId), (read.Size, read.EndOfTextId));
    }

    [Theory]
    [InlineData("llama-untied-f32.gguf", "a head of its own")]
    [InlineData("qwen3-f32.gguf", "its architecture is 'qwen3'")]
    [InlineData("missing.gguf", "missing.gguf")]
    public void What_cannot_be_trained_further_says_why(string file, string why)
    {
        var path = Path.Combine(References, file);
        var error = Assert.Throws<ConfigException>(() => PretrainConfigReader.Read($"name: more\nstart_from: {path}\n{Training.Replace("micro_batch_tokens: 128", "micro_batch_tokens: 512", StringComparison.Ordinal)}"));
        var problem = Assert.Single(error.Problems);
        Assert.Equal("start_from", problem.Field);
        Assert.Contains(why, problem.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Sizes_are_not_stated_twice()
    {
        var error = Assert.Throws<ConfigException>(() => PretrainConfigReader.Read($"name: more\nstart_from: {Path.Combine(References, "missing.gguf")}\nmodel: {{ layers: 2 }}\ntokenizer: {{ vocab_size: 320 }}\n{Training}"));
        Assert.Equal(["model", "start_from", "tokenizer"], error.Problems.Select(p => p.Field).Order());
    }

    [Fact]
    public void A_foreign_vocabulary_is_refused()
    {
        var error = Assert.Throws<ModelFormatException>(() =>
        {
            using var model = StartingModel.Open(Path.Combine(References, "llama-tied-f16.gguf"));
            model.ReadVocabulary();
        });
        Assert.StartsWith("llama-tied-f16.gguf: ", error.Message, StringComparison.Ordinal);
    }

    private static string FindReferences()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
            folder = folder.Parent;
        return Path.Combine(folder!.FullName, "tests", "data", "gguf");
    }
}
