using Slm.Training.Model;
using Slm.Training.Optimization;

namespace Slm.Training.Configuration;

/// <summary>Everything a pretraining run depends on; read from YAML by <see cref="PretrainConfigReader"/>.</summary>
public sealed record PretrainConfig
{
    /// <summary>Name of the model, also of its files.</summary>
    public required string Name { get; init; }

    /// <summary>One line for the model file and the card.</summary>
    public string Description { get; init; } = "";

    /// <summary>Licence for the model file, an SPDX identifier.</summary>
    public string License { get; init; } = "MIT";

    /// <summary>Seed of the weights and of the order of the documents.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// A model file, relative to the working folder, whose weights, sizes and vocabulary the run begins with; null: it begins from nothing.
    /// </summary>
    public string? StartFrom { get; init; }

    /// <summary>The corpus.</summary>
    public DataConfig Data { get; init; } = new();

    /// <summary>The vocabulary.</summary>
    public VocabularyConfig Tokenizer { get; init; } = new();

    /// <summary>The model's sizes.</summary>
    public required ModelShape Model { get; init; }

    /// <summary>The optimization.</summary>
    public TrainingConfig Training { get; init; } = new();

    /// <summary>The result.</summary>
    public ExportConfig Export { get; init; } = new();
}

/// <summary>The corpus: generated stories, or texts of a file.</summary>
public sealed record DataConfig
{
    /// <summary>A text file, relative to the working folder, whose documents are separated by <c>&lt;|endoftext|&gt;</c>; null: generated stories.</summary>
    public string? Path { get; init; }

    /// <summary>Number of generated documents.</summary>
    public int Stories { get; init; } = 60_000;

    /// <summary>Share of them in instruct form, 0…1.</summary>
    public double InstructFraction { get; init; } = 0.3;

    /// <summary>Seed of the generator.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Documents held out for validation, made with another seed (or the last of the file).</summary>
    public int ValidationDocuments { get; init; } = 400;
}

/// <summary>The vocabulary.</summary>
public sealed record VocabularyConfig
{
    /// <summary>Documents the merges are learned from.</summary>
    public int SampleDocuments { get; init; } = 10_000;
}

/// <summary>Number type of activations and matrix products; weights and moments are always F32.</summary>
public enum Precision
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>16-bit brain floats: twice as fast where the processor multiplies them (avx512_bf16, amx).</summary>
    Bf16,
}

/// <summary>The optimization.</summary>
public sealed record TrainingConfig
{
    /// <summary>Tokens to compute, decay included: steps are this divided by <see cref="BatchTokens"/>. A few percent are padding.</summary>
    public long Tokens { get; init; } = 20_000_000;

    /// <summary>Tokens of one step.</summary>
    public int BatchTokens { get; init; } = 8192;

    /// <summary>Tokens computed at once by one thread; divides <see cref="BatchTokens"/>.</summary>
    public int MicroBatchTokens { get; init; } = 1024;

    /// <summary>Threads; 0: one a processor. Does not change the result.</summary>
    public int Threads { get; init; }

    /// <summary>Number type of the products.</summary>
    public Precision Precision { get; init; } = Precision.Bf16;

    /// <summary>Learning rate of the stable phase.</summary>
    public double PeakLearningRate { get; init; } = 3e-3;

    /// <summary>Steps of the warm-up.</summary>
    public int WarmupSteps { get; init; } = 100;

    /// <summary>Share of the steps spent in the decay, 0…1.</summary>
    public double DecayFraction { get; init; } = 0.2;

    /// <summary>Shape of the decay.</summary>
    public DecayShape Decay { get; init; } = DecayShape.Exponential;

    /// <summary>Last learning rate as a share of the peak.</summary>
    public double FinalRatio { get; init; } = 0.02;

    /// <summary>Constants of AdamW.</summary>
    public AdamWOptions Optimizer { get; init; } = new();

    /// <summary>Time budget in minutes; the decay starts early enough to end in it. 0: none.</summary>
    public double MaxMinutes { get; init; }

    /// <summary>Minutes between checkpoints.</summary>
    public double CheckpointMinutes { get; init; } = 5;

    /// <summary>Steps between validations.</summary>
    public int EvaluateEvery { get; init; } = 100;
}

/// <summary>The result.</summary>
public sealed record ExportConfig
{
    /// <summary>Type of the matrices in the model file: f32, f16 or q8_0.</summary>
    public string Type { get; init; } = "f16";

    /// <summary>A file, relative to the working folder, with the Jinja template of chats; null: that of the story models.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>How the model is used and what it cannot do, in Markdown, for the card of a model of a file's texts; may be empty.</summary>
    public string Notes { get; init; } = "";
}
