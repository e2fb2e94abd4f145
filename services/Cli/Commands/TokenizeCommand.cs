using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Formats;
using Slm.Tokenization;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm tokenize</c>: the token ids of a text, by a GGUF file's tokenizer or a tokenizer.json.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        var model = CommonOptions.Model();
        model.Description = "Path of a GGUF file, a Hugging Face folder or a tokenizer.json, or the name of a model in the model folders.";
        var endpoint = CommonOptions.Endpoint();
        var json = CommonOptions.Json();
        var text = new Option<string>("--text") { Description = "The text; - reads it from standard input.", HelpName = "TEXT", Required = true };
        var addSpecial = new Option<bool>("--add-special-tokens") { Description = "Add the tokens the model wants around a text, such as the beginning-of-sequence token." };
        var parseSpecial = new Option<bool>("--parse-special-tokens") { Description = "Read special tokens written in the text, such as <|im_end|>, as such." };
        var command = new Command("tokenize", "Shows the tokens of a text. No special tokens are added unless asked for.") { model, text, addSpecial, parseSpecial, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var value = result.GetRequiredValue(text);
            if (value == "-")
                value = await Console.In.ReadToEndAsync(cancellationToken);
            var (ids, pieces) = result.GetValue(endpoint) is { } address
                ? await RemoteAsync(address, result.GetRequiredValue(model), value, result.GetValue(addSpecial), result.GetValue(parseSpecial), cancellationToken)
                : Local(result.GetRequiredValue(model), value, result.GetValue(addSpecial), result.GetValue(parseSpecial));
            if (result.GetValue(json))
                WriteJson(ids, pieces);
            else
                WriteTable(ids, pieces);
            return 0;
        });
        return command;
    }

    private static (IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces) Local(string model, string text, bool addSpecial, bool parseSpecial)
    {
        var tokenizer = Load(ModelArgument.Resolve(model));
        var ids = tokenizer.Encode(text, addSpecial, parseSpecial).Ids;
        return (ids, [.. ids.Select(tokenizer.Piece)]);
    }

    private static ITokenizer Load(string path)
    {
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return TokenizerLoader.FromTokenizerJson(path);
        using var file = ModelSource.Open(path);
        return TokenizerLoader.FromGguf(file.Metadata);
    }

    private static async Task<(IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces)> RemoteAsync(
        Uri endpoint, string model, string text, bool addSpecial, bool parseSpecial, CancellationToken cancellationToken)
    {
        using var channel = RemoteBackend.Connect(endpoint);
        var answer = await new TokenizerService.TokenizerServiceClient(channel).EncodeAsync(
            new EncodeRequest { Model = model, Text = text, AddSpecialTokens = addSpecial, ParseSpecialTokens = parseSpecial }, cancellationToken: cancellationToken);
        return (answer.Ids, answer.Pieces);
    }

    private static void WriteJson(IReadOnlyList<int> ids, IReadOnlyList<string> pieces) => JsonOutput.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumbers("ids", ids);
        writer.WriteStartArray("pieces");
        foreach (var piece in pieces)
            writer.WriteStringValue(piece);
        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static void WriteTable(IReadOnlyList<int> ids, IReadOnlyList<string> pieces)
    {
        var table = new Table().AddColumn(new TableColumn("id").RightAligned()).AddColumn("piece");
        for (var i = 0; i < ids.Count; i++)
            table.AddRow(ids[i].ToString(CultureInfo.InvariantCulture), Markup.Escape(pieces[i]));
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{ids.Count} tokens"));
    }
}
