using Slm.Training.Configuration;
using Slm.Training.Data;
using Slm.Training.Kernels;
using Slm.Training.Pretraining;
using Slm.Training.Tokenizer;

namespace Slm.Training.Tests;

/// <summary>A run of seconds on sentences from a small grammar.</summary>
internal static class TinyRun
{
    public const string Yaml = """
        name: tiny
        seed: 3
        data: { stories: 200, validation_documents: 20 }
        tokenizer: { vocab_size: 320, sample_documents: 100 }
        model: { hidden_size: 64, layers: 2, heads: 2, kv_heads: 1, feed_forward_size: 96, context_length: 64 }
        training:
          tokens: 10_240
          batch_tokens: 512
          micro_batch_tokens: 128
          precision: f32
          peak_learning_rate: 5e-3
          warmup_steps: 4
          decay_fraction: 0.4
          evaluate_every: 10
        """;

    public static IReadOnlyList<string> Texts(int count, int seed = 1)
    {
        var random = new Random(seed);
        string[] names = ["Tom", "Mia", "Ben", "Zoe"], verbs = ["sees", "likes", "finds", "wants"], things = ["a ball", "a cat", "the moon", "a boat"];
        return [.. Enumerable.Range(0, count).Select(_ => string.Concat(Enumerable.Range(0, 2 + random.Next(8)).Select(_ =>
            $"{names[random.Next(4)]} {verbs[random.Next(4)]} {things[random.Next(4)]}. ")).Trim())];
    }

    public static (BpeVocabulary Vocabulary, TokenStore Train, TokenStore Validation) Data(PretrainConfig config)
    {
        var vocabulary = BpeTrainer.Train(Texts(100), config.Model.VocabSize);
        return (vocabulary, TokenStore.Encode(Texts(200), vocabulary), TokenStore.Encode(Texts(20, 2), vocabulary));
    }

    public static PretrainRun<T> Create<T>(string? folder, string? yaml = null)
        where T : struct, IStorage
    {
        var config = PretrainConfigReader.Read(yaml ?? Yaml);
        var (_, train, validation) = Data(config);
        return new PretrainRun<T>(config, train, validation, folder);
    }
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("slm-training-").FullName;

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
