using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm models</c>: the models that can be named.</summary>
internal static class ModelsCommand
{
    private sealed record Row(
        string Model, string State, string Architecture, string Quantization, long Parameters, long FileBytes, int ContextLength, string? Path, string? Error);

    public static Command Create()
    {
        var endpoint = CommonOptions.Endpoint();
        var json = CommonOptions.Json();
        var command = new Command("models", "Lists the models of the model folders, or of a running platform.") { endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var rows = result.GetValue(endpoint) is { } address ? await RemoteAsync(address, cancellationToken) : Local();
            if (result.GetValue(json))
                WriteJson(rows);
            else
                WriteTable(rows);
            return 0;
        });
        return command;
    }

    private static IReadOnlyList<Row> Local() => [.. ModelArgument.Catalog().List().Select(entry =>
    {
        try
        {
            using var file = ModelFile.Open(entry.Path);
            return new Row(entry.Name, "available", file.Config.Architecture, file.QuantizationName, file.ParameterCount, entry.FileBytes,
                file.Config.ContextLength, entry.Path, null);
        }
        catch (Exception error) when (error is ModelFormatException or IOException or UnauthorizedAccessException)
        {
            return new Row(entry.Name, "failed", "", "", 0, entry.FileBytes, 0, entry.Path, error.Message);
        }
    })];

    private static async Task<IReadOnlyList<Row>> RemoteAsync(Uri endpoint, CancellationToken cancellationToken)
    {
        using var channel = RemoteBackend.Connect(endpoint);
        var answer = await new ModelService.ModelServiceClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken);
        return [.. answer.Models.Select(m => new Row(m.Model_, m.State.ToString().ToLowerInvariant(), m.Architecture, m.Quantization, m.Parameters,
            m.FileBytes, m.ContextLength, null, m.HasError ? m.Error : null))];
    }

    private static void WriteJson(IReadOnlyList<Row> rows) => JsonOutput.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartArray("models");
        foreach (var row in rows)
        {
            writer.WriteStartObject();
            writer.WriteString("model", row.Model);
            writer.WriteString("state", row.State);
            writer.WriteString("architecture", row.Architecture);
            writer.WriteString("quantization", row.Quantization);
            writer.WriteNumber("parameters", row.Parameters);
            writer.WriteNumber("file_bytes", row.FileBytes);
            writer.WriteNumber("context_length", row.ContextLength);
            if (row.Path is not null)
                writer.WriteString("path", row.Path);
            if (row.Error is not null)
                writer.WriteString("error", row.Error);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static void WriteTable(IReadOnlyList<Row> rows)
    {
        if (rows.Count == 0)
        {
            AnsiConsole.WriteLine("No models. Put .gguf files, or folders with config.json and *.safetensors, into " + string.Join(" or ", ModelArgument.Catalog().Folders) + ".");
            return;
        }
        var table = new Table().AddColumns("model", "state", "architecture", "type")
            .AddColumn(new TableColumn("parameters").RightAligned()).AddColumn(new TableColumn("file").RightAligned()).AddColumn(new TableColumn("context").RightAligned());
        foreach (var row in rows)
        {
            table.AddRow(Markup.Escape(row.Model), row.State, Markup.Escape(row.Architecture), row.Quantization, Quantity.Count(row.Parameters), Quantity.Bytes(row.FileBytes),
                row.ContextLength.ToString("N0", CultureInfo.InvariantCulture));
        }
        AnsiConsole.Write(table);
        foreach (var row in rows.Where(r => r.Error is not null))
            AnsiConsole.WriteLine($"{row.Model}: {row.Error}");
    }
}
