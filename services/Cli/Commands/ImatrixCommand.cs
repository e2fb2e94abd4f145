using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Models;
using Slm.Engine.Quantization;

namespace Slm.Cli.Commands;

/// <summary><c>slm imatrix</c>: which columns of a model's matrices matter when it reads a text.</summary>
internal static class ImatrixCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "Path of a GGUF file, or the name of a model in the model folders.", HelpName = "FILE|NAME" };
        var output = new Option<string>("--output", "-o") { Description = "The file to write.", HelpName = "FILE", Required = true };
        var (text, chunk, chunks) = (PerplexityCommand.TextOption(required: true), PerplexityCommand.ChunkOption(), PerplexityCommand.ChunksOption());
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command = new Command("imatrix", "Writes an importance matrix: mean squares of the inputs of every matrix while a text is read, for 'slm quantize --imatrix'.")
        {
            model, text, output, chunk, chunks, threads, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var file = ModelFile.Open(ModelArgument.ResolveGguf(result.GetRequiredValue(model), "model"));
            var textPath = result.GetValue(text)!;
            var collector = new ImportanceCollector();
            var measured = await ProgressBar.RunAsync("importance matrix", progress => TextScoring.RunAsync(
                file, textPath, result.GetValue(chunk), result.GetValue(chunks), result.GetValue(threads), null, null, collector, PerplexityCommand.Chunks(progress), cancellationToken));
            var path = result.GetRequiredValue(output);
            var matrix = collector.ToMatrix(Path.GetFileName(textPath), measured.Chunks, measured.ChunkTokens);
            matrix.Write(path);
            if (result.GetValue(json))
            {
                JsonOutput.Write(writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("output", path);
                    writer.WriteNumber("entries", matrix.Entries.Count);
                    PerplexityCommand.WriteFields(writer, measured);
                    writer.WriteEndObject();
                });
            }
            else
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: {matrix.Entries.Count} matrices; {PerplexityCommand.Describe(measured)}"));
            }

            return 0;
        });
        return command;
    }
}
