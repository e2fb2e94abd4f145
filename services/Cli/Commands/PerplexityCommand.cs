using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Models;
using Slm.Engine.Scoring;

namespace Slm.Cli.Commands;

/// <summary><c>slm perplexity</c>: how well a model predicts a text.</summary>
internal static class PerplexityCommand
{
    public static Command Create()
    {
        var model = CommonOptions.Model();
        var (text, chunk, chunks) = (TextOption(required: true), ChunkOption(), ChunksOption());
        var (adapter, threads, kvType, json) = (CommonOptions.Adapter(), CommonOptions.Threads(), CommonOptions.KvType(), CommonOptions.Json());
        var command = new Command("perplexity", "Measures how well a model predicts a text: chunks are read on their own, and the second half of each is predicted.")
        {
            model, text, chunk, chunks, adapter, threads, kvType, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var file = ModelFile.Open(ModelArgument.ResolveGguf(result.GetRequiredValue(model)));
            var measured = await ProgressBar.RunAsync("perplexity", progress => TextScoring.RunAsync(
                file, result.GetValue(text)!, result.GetValue(chunk), result.GetValue(chunks), result.GetValue(threads), result.GetValue(kvType), AdapterArgument.Local(result.GetValue(adapter)), null, Chunks(progress), cancellationToken));
            if (result.GetValue(json))
            {
                JsonOutput.Write(writer =>
                {
                    writer.WriteStartObject();
                    WriteFields(writer, measured);
                    writer.WriteEndObject();
                });
            }
            else
            {
                Console.WriteLine(Describe(measured));
            }

            return 0;
        });
        return command;
    }

    public static Option<string?> TextOption(bool required) => new("--text")
    {
        Description = "A UTF-8 text file.",
        HelpName = "FILE",
        Required = required,
    };

    public static Option<int?> ChunkOption()
    {
        var option = CommonOptions.Positive("--chunk", $"Tokens of a chunk; default {TextScoring.DefaultChunk}, or the context if that is shorter.", 1 << 24);
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value is "1" or "2")
                result.AddError("--chunk must be at least 3.");
        });
        return option;
    }

    public static Option<int?> ChunksOption() => CommonOptions.Positive("--chunks", "Most chunks to read; default all.", int.MaxValue);

    public static IProgress<(int Done, int All)> Chunks(IProgress<double> progress) => new ProgressBar.Counted<(int Done, int All)>(progress, p => (double)p.Done / p.All);

    public static string Describe(PerplexityResult result) => string.Create(CultureInfo.InvariantCulture,
        $"perplexity {result.Perplexity:0.0000} ± {result.StandardError:0.0000} ({result.Tokens} tokens predicted in {result.Chunks} chunks of {result.ChunkTokens})");

    public static void WriteFields(Utf8JsonWriter writer, PerplexityResult result)
    {
        writer.WriteNumber("perplexity", result.Perplexity);
        writer.WriteNumber("standard_error", result.StandardError);
        writer.WriteNumber("mean_nll", result.MeanNegativeLogLikelihood);
        writer.WriteNumber("tokens", result.Tokens);
        writer.WriteNumber("chunks", result.Chunks);
        writer.WriteNumber("chunk_tokens", result.ChunkTokens);
    }
}
