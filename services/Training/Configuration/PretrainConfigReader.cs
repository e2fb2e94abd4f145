using Slm.Engine.Formats;
using Slm.Training.Model;
using Slm.Training.Optimization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Slm.Training.Configuration;

/// <summary>Reads a <see cref="PretrainConfig"/> from YAML and reports every problem at once.</summary>
public static class PretrainConfigReader
{
    private static readonly Dictionary<string, DecayShape> Decays = new()
    {
        ["exponential"] = DecayShape.Exponential,
        ["linear"] = DecayShape.Linear,
        ["cosine"] = DecayShape.Cosine,
        ["1-sqrt"] = DecayShape.OneMinusSqrt,
    };

    private static readonly Dictionary<string, Precision> Precisions = new() { ["bf16"] = Precision.Bf16, ["f32"] = Precision.F32 };

    private static readonly Dictionary<string, string> ExportTypes = new() { ["f16"] = "f16", ["f32"] = "f32" };

    /// <summary>Reads the file <paramref name="path"/>.</summary>
    /// <exception cref="ConfigException">Not YAML, or fields are missing, unknown or out of range.</exception>
    public static PretrainConfig ReadFile(string path) => Read(File.ReadAllText(path), path);

    /// <summary>Reads YAML text.</summary>
    /// <param name="yaml">The document.</param>
    /// <param name="source">Its name for messages.</param>
    /// <exception cref="ConfigException">Not YAML, or fields are missing, unknown or out of range.</exception>
    public static PretrainConfig Read(string yaml, string source = "The configuration")
    {
        var problems = new List<ConfigProblem>();
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException e)
        {
            throw new ConfigException(source, [new ConfigProblem($"line {e.Start.Line}", e.Message, "YAML")]);
        }

        if (stream.Documents.Count != 1 || stream.Documents[0].RootNode is not YamlMappingNode rootNode)
            throw new ConfigException(source, [new ConfigProblem("document", "not a mapping", "one YAML mapping")]);
        var root = new YamlFields(rootNode, "", problems);
        var name = root.Text("name", null, n => n.Length is > 0 and <= 64 && n.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'), "1…64 letters, digits, '-', '_', '.'");
        var training = ReadTraining(root.Section("training"));
        var start = root.OptionalText("start_from");
        var (tokenizer, shape) = start is null ? ReadFromNothing(root, training) : (new VocabularyConfig(), ReadStart(root, start, training));
        var config = new PretrainConfig
        {
            Name = name,
            Description = root.Text("description", ""),
            License = root.Text("license", "MIT"),
            Seed = (ulong)root.Integer("seed", 1, 0, long.MaxValue),
            StartFrom = start,
            Data = ReadData(root.Section("data")),
            Tokenizer = tokenizer,
            Model = shape,
            Training = training,
            Export = ReadExport(root.Section("export")),
        };
        root.RefuseOthers();
        return problems.Count == 0 ? config : throw new ConfigException(source, problems);
    }

    private static (VocabularyConfig, ModelShape) ReadFromNothing(YamlFields root, TrainingConfig training)
    {
        var vocabulary = root.Section("tokenizer");
        var size = (int)vocabulary.Integer("vocab_size", null, 272, 32768, 16);
        var tokenizer = new VocabularyConfig { SampleDocuments = (int)vocabulary.Integer("sample_documents", 10_000, 1, 10_000_000) };
        vocabulary.RefuseOthers();
        return (tokenizer, ReadModel(root.Section("model"), size, training));
    }

    /// <summary>Sizes of the model that is trained further; vocabulary and sizes are not to be stated again.</summary>
    private static ModelShape ReadStart(YamlFields root, string path, TrainingConfig training)
    {
        foreach (var section in new[] { "tokenizer", "model" })
        {
            if (root.Has(section))
                root.Report(section, "stated beside start_from", "nothing: it is that of the model file");
        }

        var shape = new ModelShape { VocabSize = 272, HiddenSize = 32, LayerCount = 1, HeadCount = 1, KeyValueHeadCount = 1, FeedForwardSize = 32, ContextLength = 16 };
        try
        {
            using var model = StartingModel.Open(path);
            shape = model.Shape;
        }
        catch (Exception error) when (error is ModelFormatException or IOException or UnauthorizedAccessException)
        {
            root.Report("start_from", $"{path} ({error.Message})", "a model file that can be trained further");
        }

        if (shape.ContextLength > training.MicroBatchTokens)
            root.Report("training.micro_batch_tokens", $"{training.MicroBatchTokens}", $"at least the context of {path} ({shape.ContextLength})");
        return shape;
    }

    private static DataConfig ReadData(YamlFields fields)
    {
        var data = new DataConfig
        {
            Path = fields.OptionalText("path"),
            Stories = (int)fields.Integer("stories", 60_000, 1, 100_000_000),
            InstructFraction = fields.Number("instruct_fraction", 0.3, 0, 1),
            Seed = (ulong)fields.Integer("seed", 1, 0, long.MaxValue),
            ValidationDocuments = (int)fields.Integer("validation_documents", 400, 1, 1_000_000),
        };
        fields.RefuseOthers();
        return data;
    }

    private static ModelShape ReadModel(YamlFields fields, int vocabulary, TrainingConfig training)
    {
        var shape = new ModelShape
        {
            VocabSize = vocabulary,
            HiddenSize = (int)fields.Integer("hidden_size", null, 32, 4096, 32),
            LayerCount = (int)fields.Integer("layers", null, 1, 256),
            HeadCount = (int)fields.Integer("heads", null, 1, 128),
            KeyValueHeadCount = (int)fields.Integer("kv_heads", null, 1, 128),
            FeedForwardSize = (int)fields.Integer("feed_forward_size", null, 32, 16384, 32),
            ContextLength = (int)fields.Integer("context_length", 512, 16, 8192),
            RopeBase = (float)fields.Number("rope_base", 10_000, 1, 1e9),
            NormEpsilon = (float)fields.Number("norm_epsilon", 1e-5, 1e-12, 1e-2),
        };
        if (shape.HiddenSize % (32 * shape.HeadCount) != 0)
            fields.Report("heads", $"{shape.HeadCount}", $"a number that gives heads of a multiple of 32 from hidden_size {shape.HiddenSize}");
        if (shape.HeadCount % shape.KeyValueHeadCount != 0)
            fields.Report("kv_heads", $"{shape.KeyValueHeadCount}", $"a divisor of heads ({shape.HeadCount})");
        if (shape.ContextLength > training.MicroBatchTokens)
            fields.Report("context_length", $"{shape.ContextLength}", $"at most training.micro_batch_tokens ({training.MicroBatchTokens})");
        fields.RefuseOthers();
        return shape;
    }

    private static TrainingConfig ReadTraining(YamlFields fields)
    {
        var micro = (int)fields.Integer("micro_batch_tokens", 1024, 16, 1 << 17, 16);
        var training = new TrainingConfig
        {
            Tokens = fields.Integer("tokens", 20_000_000, 1, 1_000_000_000_000),
            BatchTokens = (int)fields.Integer("batch_tokens", Math.Max(8192, micro), 16, 1 << 24, micro),
            MicroBatchTokens = micro,
            Threads = (int)fields.Integer("threads", 0, 0, 1024),
            Precision = fields.Choice("precision", Precision.Bf16, Precisions),
            PeakLearningRate = fields.Number("peak_learning_rate", 3e-3, 1e-7, 1),
            WarmupSteps = (int)fields.Integer("warmup_steps", 100, 0, 1_000_000),
            DecayFraction = fields.Number("decay_fraction", 0.2, 0, 0.95),
            Decay = fields.Choice("decay", DecayShape.Exponential, Decays),
            FinalRatio = fields.Number("final_ratio", 0.02, 1e-6, 1),
            Optimizer = new AdamWOptions
            {
                Beta1 = fields.Number("beta1", 0.9, 0, 0.9999),
                Beta2 = fields.Number("beta2", 0.95, 0, 0.99999),
                Epsilon = fields.Number("epsilon", 1e-8, 1e-16, 1e-2),
                WeightDecay = fields.Number("weight_decay", 0.1, 0, 10),
                MaxGradientNorm = fields.Number("max_gradient_norm", 1, 1e-6, 1e6),
            },
            MaxMinutes = fields.Number("max_minutes", 0, 0, 1e6),
            CheckpointMinutes = fields.Number("checkpoint_minutes", 5, 0.01, 1e6),
            EvaluateEvery = (int)fields.Integer("evaluate_every", 100, 1, 1_000_000),
        };
        var steps = training.Tokens / training.BatchTokens;
        if (steps * (1 - training.DecayFraction) < training.WarmupSteps)
            fields.Report("warmup_steps", $"{training.WarmupSteps}", $"at most the {steps} steps (tokens / batch_tokens) without the decay");
        fields.RefuseOthers();
        return training;
    }

    private static ExportConfig ReadExport(YamlFields fields)
    {
        var export = new ExportConfig { Type = fields.Choice("type", "f16", ExportTypes), ChatTemplate = fields.OptionalText("chat_template"), Notes = fields.Text("notes", "") };
        if (export.ChatTemplate is { } template && !File.Exists(template))
            fields.Report("chat_template", $"{template}, which does not exist", "a file with a Jinja template");
        fields.RefuseOthers();
        return export;
    }
}
