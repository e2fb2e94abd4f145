using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Slm.Training.Configuration;
using Slm.Training.Data;
using Slm.Training.Model;
using Slm.Training.Stories;
using Slm.Training.Tokenizer;

namespace Slm.Training.Pretraining;

/// <summary>Corpus, vocabulary and encoded documents of a run, kept in its folder and made again only when their configuration changes.</summary>
/// <param name="Vocabulary">The trained vocabulary.</param>
/// <param name="Train">Documents to train on.</param>
/// <param name="Validation">Documents held out.</param>
internal sealed record PreparedData(BpeVocabulary Vocabulary, TokenStore Train, TokenStore Validation)
{
    /// <summary>Loads or makes the data of <paramref name="config"/> in <paramref name="folder"/>.</summary>
    /// <param name="config">The run.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="phase">Told what is being done.</param>
    public static PreparedData Open(PretrainConfig config, string folder, Action<string> phase)
    {
        Directory.CreateDirectory(folder);
        var hash = Hash(config);
        string tokenizer = Path.Combine(folder, "tokenizer.json"), train = Path.Combine(folder, "train.bin"), validation = Path.Combine(folder, "validation.bin"), mark = Path.Combine(folder, "data.hash");
        if (!File.Exists(mark) || File.ReadAllText(mark) != hash)
        {
            var data = config.Data;
            phase("vocabulary");
            var vocabulary = MakeVocabulary(config);
            TokenizerJson.Write(vocabulary, tokenizer);
            phase("encoding");
            TokenStore.Encode(TrainingTexts(data), vocabulary).Save(train);
            TokenStore.Encode(ValidationTexts(data), vocabulary).Save(validation);
            File.WriteAllText(mark, hash);
        }

        return new PreparedData(TokenizerJson.Read(tokenizer), TokenStore.Load(train), TokenStore.Load(validation));
    }

    /// <summary>Texts to train on, in order.</summary>
    public static IEnumerable<string> TrainingTexts(DataConfig data)
        => data.Path is null ? new StoryGenerator(data.Seed).Documents(data.Stories, data.InstructFraction) : FileTexts(data.Path).SkipLast(data.ValidationDocuments);

    /// <summary>Held-out texts: of another seed, without any that also occurs in training; or the last ones of a file.</summary>
    public static IEnumerable<string> ValidationTexts(DataConfig data)
    {
        if (data.Path is not null)
            return FileTexts(data.Path).TakeLast(data.ValidationDocuments);
        var candidates = new StoryGenerator(data.Seed + 1).Documents(2 * data.ValidationDocuments, data.InstructFraction).ToHashSet();
        foreach (var text in TrainingTexts(data))
            candidates.Remove(text);
        return candidates.Take(data.ValidationDocuments);
    }

    private static BpeVocabulary MakeVocabulary(PretrainConfig config)
    {
        if (config.StartFrom is null)
            return BpeTrainer.Train(TrainingTexts(config.Data).Take(config.Tokenizer.SampleDocuments), config.Model.VocabSize);
        using var start = StartingModel.Open(config.StartFrom);
        return start.ReadVocabulary();
    }

    /// <summary>Hash of what the data depend on.</summary>
    private static string Hash(PretrainConfig config)
    {
        var json = JsonSerializer.Serialize(new { config.StartFrom, config.Data, config.Tokenizer, config.Model.VocabSize });
        foreach (var path in new[] { config.Data.Path, config.StartFrom }.OfType<string>())
            json += File.GetLastWriteTimeUtc(path).Ticks;
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json)));
    }

    private static string[] FileTexts(string path)
        => File.ReadAllText(path).Split(BpeVocabulary.EndOfText, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
