using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Slm.Training.Configuration;
using Slm.Training.Stories;
using Slm.Training.Tokenizer;
using Spectre.Console;

namespace Slm.Training.Commands;

/// <summary>The command line of the training program.</summary>
internal static class TrainingCommands
{
    /// <summary>All commands.</summary>
    public static RootCommand Root() => new("Trains small language models: corpus, vocabulary, pretraining, model file.")
    {
        Pretrain(),
        new Command("data", "Makes training data.") { DataStories() },
        Export(),
        Evaluate(),
        Card(),
    };

    private static Command Pretrain()
    {
        var config = new Option<string>("--config") { Description = "The YAML configuration of the run.", Required = true };
        var output = new Option<string?>("--output") { Description = "Folder for data, checkpoints and the result. Default: artifacts/ and the name of the configuration." };
        var resume = new Option<bool>("--resume") { Description = "Continue from the newest checkpoint in the folder." };
        var json = new Option<bool>("--json") { Description = "Report as JSON lines." };
        var command = new Command("pretrain", "Trains a model from nothing.") { config, output, resume, json };
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(config);
            var folder = parsed.GetValue(output) ?? Path.Combine("artifacts", Path.GetFileNameWithoutExtension(path));
            if (parsed.GetValue(json))
                return PretrainCommand.Run(path, folder, parsed.GetValue(resume), new JsonConsole(Console.Out, TimeProvider.System));
            using var console = new SpectreConsole(AnsiConsole.Console, TimeProvider.System);
            return PretrainCommand.Run(path, folder, parsed.GetValue(resume), console);
        });
        return command;
    }

    private static Command DataStories()
    {
        var count = new Option<int>("--n") { Description = "Number of documents.", DefaultValueFactory = _ => 1000 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the generator.", DefaultValueFactory = _ => 1 };
        var instruct = new Option<double>("--instruct-fraction") { Description = "Share of documents with instructions before the story, 0 to 1.", DefaultValueFactory = _ => 0.3 };
        var output = new Option<string?>("--out") { Description = $"Text file, documents separated by {BpeVocabulary.EndOfText}. Default: standard output." };
        var command = new Command("stories", "Generates stories.") { count, seed, instruct, output };
        command.SetAction(parsed => Guarded(() =>
        {
            using var writer = parsed.GetValue(output) is { } path ? new StreamWriter(path) : Console.Out;
            foreach (var document in new StoryGenerator(parsed.GetValue(seed)).Documents(parsed.GetValue(count), parsed.GetValue(instruct)))
            {
                writer.Write(document);
                writer.Write($"\n{BpeVocabulary.EndOfText}\n");
            }
        }));
        return command;
    }

    private static Command Export()
    {
        var (run, checkpoint) = (RunOption(), CheckpointOption());
        var output = new Option<string?>("--out") { Description = "The GGUF file. Default: in the run's folder." };
        var type = new Option<string?>("--type") { Description = "Type of the matrices. Default: that of the configuration." };
        type.AcceptOnlyFromAmong("f16", "f32");
        var command = new Command("export", "Writes the model file of a checkpoint.") { run, checkpoint, output, type };
        command.SetAction(parsed => Guarded(() =>
            Console.WriteLine(ExportCommand.Export(new RunFolder(parsed.GetRequiredValue(run)), parsed.GetValue(checkpoint), parsed.GetValue(output), parsed.GetValue(type)))));
        return command;
    }

    private static Command Evaluate()
    {
        var (run, checkpoint) = (RunOption(), CheckpointOption());
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command("evaluate", "Computes the perplexity on the documents held out.") { run, checkpoint, json };
        command.SetAction(parsed => Guarded(() =>
        {
            var loss = ExportCommand.Evaluate(new RunFolder(parsed.GetRequiredValue(run)), parsed.GetValue(checkpoint));
            Console.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { tokens = loss.Tokens, loss = loss.Total / loss.Tokens, token_perplexity = loss.TokenPerplexity, byte_perplexity = loss.BytePerplexity, bits_per_byte = loss.BitsPerByte })
                : string.Create(CultureInfo.InvariantCulture, $"{loss.Tokens:N0} tokens: loss {loss.Total / loss.Tokens:F4}, perplexity {loss.TokenPerplexity:F3} a token, {loss.BytePerplexity:F4} a byte, {loss.BitsPerByte:F4} bits a byte"));
        }));
        return command;
    }

    private static Command Card()
    {
        var run = RunOption();
        var model = new Option<string?>("--model") { Description = "The model file to write; card and loss plot go beside it. Default: in the run's folder." };
        var command = new Command("card", "Writes model file, loss plot and model card of a finished run.") { run, model };
        command.SetAction((parsed, cancellationToken) => GuardedAsync(async () =>
        {
            var folder = new RunFolder(parsed.GetRequiredValue(run));
            await ExportCommand.Card(folder, parsed.GetValue(model) ?? folder.Model(folder.ReadConfig()), null, cancellationToken);
        }));
        return command;
    }

    private static Option<string> RunOption() => new("--run") { Description = "Folder of the run (--output of pretrain).", Required = true };

    private static Option<string?> CheckpointOption() => new("--checkpoint") { Description = "Checkpoint file. Default: the final or else the newest one of the run." };

    private static int Guarded(Action action) => GuardedAsync(() =>
    {
        action();
        return Task.CompletedTask;
    }).GetAwaiter().GetResult();

    private static async Task<int> GuardedAsync(Func<Task> action)
    {
        try
        {
            await action();
            return 0;
        }
        catch (Exception e) when (e is ConfigException or IOException or InvalidDataException or ArgumentException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }
}
