using Slm.Training.Configuration;
using Slm.Training.Data;
using Slm.Training.Export;
using Slm.Training.Pretraining;
using Slm.Training.Tokenizer;

namespace Slm.Training.Commands;

/// <summary>What is made from a finished run: model file, card, figures.</summary>
internal static class ExportCommand
{
    private const float SampleTemperature = 0.3f;

    /// <summary>Writes the model file of a checkpoint; null: the run's newest.</summary>
    public static string Export(RunFolder folder, string? checkpoint, string? output, string? type)
    {
        var config = folder.ReadConfig();
        if (type is not null)
            config = config with { Export = config.Export with { Type = type } };
        var path = output ?? folder.Model(config);
        TrainedModel.Load(config, Checkpoint(folder, checkpoint), folder.Tokenizer).Export(path);
        return path;
    }

    /// <summary>Held-out loss of a checkpoint.</summary>
    public static EvaluatedLoss Evaluate(RunFolder folder, string? checkpoint)
        => TrainedModel.Load(folder.ReadConfig(), Checkpoint(folder, checkpoint), folder.Tokenizer).Evaluate(TokenStore.Load(folder.Validation));

    /// <summary>Writes model file, loss plot and card side by side.</summary>
    /// <param name="folder">The finished run.</param>
    /// <param name="modelFile">Where the model file goes; the card and the plot get its name.</param>
    /// <param name="data">The run's data, or null to load them.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task Card(RunFolder folder, string modelFile, PreparedData? data, CancellationToken cancellationToken)
    {
        var config = folder.ReadConfig();
        data ??= PreparedData.Open(config, folder.Path, _ => { });
        var model = TrainedModel.Load(config, Checkpoint(folder, null), folder.Tokenizer);
        model.Export(modelFile);
        var target = Path.GetDirectoryName(Path.GetFullPath(modelFile))!;
        LossPlot.Write(model.State.Curve, target, config.Name);
        // What these measure and show are stories.
        var isStory = config.Data.Path is null;
        IReadOnlyList<CardSample> samples = isStory ? await SampleWriter.WriteAsync(modelFile, SampleWriter.CardPrompts, SampleTemperature, config.Seed, cancellationToken) : [];
        var overlap = !isStory ? "" : await OverlapSection.WriteAsync(modelFile, PreparedData.ValidationTexts(config.Data), PreparedData.TrainingTexts(config.Data), SampleTemperature, config.Seed, cancellationToken);
        var agreement = await LogitAgreement.MeasureAsync(model, data.Validation, cancellationToken);
        var instructions = isStory ? await InstructionSection.WriteAsync(modelFile, config.Data.Seed, SampleTemperature, cancellationToken) : "";
        var card = ModelCard.Write(model, modelFile, data.Train, model.Evaluate(data.Validation), data.Validation.Count, agreement, [instructions, overlap], samples);
        await File.WriteAllTextAsync(Path.ChangeExtension(modelFile, ".md"), card, cancellationToken);
    }

    private static string Checkpoint(RunFolder folder, string? path)
        => path ?? (File.Exists(folder.FinalCheckpoint) ? folder.FinalCheckpoint : folder.NewestCheckpoint) ?? throw new FileNotFoundException($"{folder.Path} holds no checkpoint.");
}
