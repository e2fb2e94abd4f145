using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Scoring;

namespace Slm.Cli.Commands;

/// <summary><c>slm quantize</c>: a model file in fewer bits, with a report of what that cost.</summary>
internal static class QuantizeCommand
{
    public static Command Create()
    {
        var input = new Argument<string>("input") { Description = "Path of a GGUF file or of a Hugging Face folder, or the name of a model in the model folders.", HelpName = "FILE|NAME" };
        var output = new Argument<string>("output") { Description = "The file to write; one that is there is replaced when the new one is complete.", HelpName = "FILE" };
        var type = new Option<QuantizationRecipe?>("--type", "-t") { Description = $"One of {Names()}.", HelpName = "TYPE", Required = true, CustomParser = ParseRecipe };
        var imatrix = new Option<string?>("--imatrix") { Description = "Importance matrix (GGUF or .dat) that weights the errors: see 'slm imatrix'.", HelpName = "FILE" };
        var overrides = new Option<string[]>("--override")
        {
            Description = "A type for tensors whose names match a regular expression, such as ffn_down=Q6_K; may be repeated, the first match counts.",
            HelpName = "PATTERN=TYPE",
        };
        var requantize = new Option<bool>("--allow-requantize") { Description = "Take tensors that are quantized already; their errors add up." };
        var text = PerplexityCommand.TextOption(required: false);
        text.Description = "A UTF-8 text file on which perplexity is measured before and after.";
        var (chunk, chunks) = (PerplexityCommand.ChunkOption(), PerplexityCommand.ChunksOption());
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command = new Command("quantize", "Writes a model with fewer bits per weight, and reports size, errors and perplexity.")
        {
            input, output, type, imatrix, overrides, requantize, text, chunk, chunks, threads, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (from, to) = (ModelArgument.ResolveGguf(result.GetRequiredValue(input), "input"), result.GetRequiredValue(output));
            if (Path.GetFullPath(from) == Path.GetFullPath(to))
                throw new CliException($"output: '{to}' is the input. Give another file.");
            var importanceFile = result.GetValue(imatrix);
            var options = new QuantizationOptions
            {
                Recipe = result.GetValue(type)!,
                Overrides = [.. (result.GetValue(overrides) ?? []).Select(ParseOverride)],
                Importances = importanceFile is null ? null : ImportanceMatrix.Read(importanceFile),
                ImportanceFile = importanceFile,
                AllowRequantize = result.GetValue(requantize),
                Threads = result.GetValue(threads) ?? Environment.ProcessorCount,
            };
            Task<PerplexityResult?> MeasureAsync(string path, string title) => result.GetValue(text) is not { } textPath ? Task.FromResult<PerplexityResult?>(null)
                : ProgressBar.RunAsync<PerplexityResult?>(title, async progress =>
                {
                    using var file = ModelFile.Open(path);
                    return await TextScoring.RunAsync(file, textPath, result.GetValue(chunk), result.GetValue(chunks), options.Threads, null, null, null, PerplexityCommand.Chunks(progress), cancellationToken);
                });

            var before = await MeasureAsync(from, "perplexity before");
            var tensors = await ProgressBar.RunAsync($"quantizing to {options.Recipe.Name}", progress => Task.Run(
                () =>
                {
                    using var source = ModelSource.Open(from);
                    return ModelQuantizer.Quantize(source, to, options, new ProgressBar.Counted<(long Done, long All)>(progress, p => (double)p.Done / p.All), cancellationToken);
                },
                cancellationToken));
            var report = new QuantizationReport(from, to, options, tensors, before, await MeasureAsync(to, "perplexity after"));
            if (result.GetValue(json))
                report.WriteJson();
            else
                report.WriteTable();
            return 0;
        });
        return command;
    }

    private static string Names() => string.Join(", ", QuantizationRecipe.All.Select(r => r.Name));

    private static QuantizationRecipe? ParseRecipe(ArgumentResult result)
    {
        var name = result.Tokens[0].Value;
        if (QuantizationRecipe.TryGet(name, out var recipe))
            return recipe;
        result.AddError($"--type: '{name}' is not known. Supported: {Names()}.");
        return null;
    }

    private static (Regex Pattern, TensorType Type) ParseOverride(string text)
    {
        var at = text.LastIndexOf('=');
        if (at < 1)
            throw new UsageException($"--override: '{text}' has no '='. Give PATTERN=TYPE, such as ffn_down=Q6_K.");
        var types = QuantizationRecipe.TensorTypes.Where(t => string.Equals(t.ToString(), text[(at + 1)..], StringComparison.OrdinalIgnoreCase)).ToArray();
        if (types is not [var type])
            throw new UsageException($"--override: '{text[(at + 1)..]}' is no tensor type. Supported: {string.Join(", ", QuantizationRecipe.TensorTypes)}.");
        try
        {
            // Linear time whatever the pattern.
            return (new Regex(text[..at], RegexOptions.CultureInvariant | RegexOptions.NonBacktracking), type);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new UsageException($"--override: '{text[..at]}' is no regular expression that can be used: {error.Message}");
        }
    }
}
