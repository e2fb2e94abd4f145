using System.Globalization;
using Slm.Cli.Commands;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;
using Slm.Engine.Scoring;
using Spectre.Console;

namespace Slm.Cli.Output;

/// <summary>What a quantization gained and cost.</summary>
internal sealed record QuantizationReport(
    string Input, string Output, QuantizationOptions Options, IReadOnlyList<QuantizedTensor> Tensors, PerplexityResult? Before, PerplexityResult? After)
{
    private long BytesBefore { get; } = Directory.Exists(Input)
        ? new DirectoryInfo(Input).EnumerateFiles("*.safetensors").Sum(f => f.Length)
        : new FileInfo(Input).Length;

    private long BytesAfter { get; } = new FileInfo(Output).Length;

    private double BitsPerWeight => Tensors.Sum(t => t.BytesAfter) * 8.0 / Math.Max(1, Tensors.Sum(t => t.Elements));

    public void WriteJson() => JsonOutput.Write(json =>
    {
        json.WriteStartObject();
        json.WriteString("output", Output);
        json.WriteString("type", Options.Recipe.Name);
        json.WriteNumber("bytes_before", BytesBefore);
        json.WriteNumber("bytes_after", BytesAfter);
        json.WriteNumber("bits_per_weight", BitsPerWeight);
        json.WriteStartArray("tensors");
        foreach (var tensor in Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteStartArray("shape");
            foreach (var size in tensor.Shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteString("from", tensor.From.ToString());
            json.WriteString("to", tensor.To.ToString());
            json.WriteNumber("bytes_before", tensor.BytesBefore);
            json.WriteNumber("bytes_after", tensor.BytesAfter);
            json.WriteNumber("rmse", tensor.RootMeanSquareError);
            json.WriteNumber("max_error", tensor.MaxError);
            json.WriteNumber("rms", tensor.RootMeanSquare);
            json.WriteBoolean("importance", tensor.Weighted);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        foreach (var (name, result) in new[] { ("perplexity_before", Before), ("perplexity_after", After) })
        {
            if (result is null)
                continue;
            json.WriteStartObject(name);
            PerplexityCommand.WriteFields(json, result);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    public void WriteTable()
    {
        var table = new Table().AddColumn("tensor").AddColumn("shape").AddColumn("type");
        foreach (var heading in new[] { "size", "RMSE", "of RMS", "max error" })
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var tensor in Tensors.Where(t => t.From != t.To))
        {
            table.AddRow(
                Markup.Escape(tensor.Name), string.Join(" × ", tensor.Shape), $"{tensor.From} → {tensor.To}{(tensor.Weighted ? " *" : "")}", Quantity.Bytes(tensor.BytesAfter),
                Number(tensor.RootMeanSquareError, "0.000e+0"), Number(tensor.RootMeanSquare > 0 ? tensor.RootMeanSquareError / tensor.RootMeanSquare : 0, "0.00%"), Number(tensor.MaxError, "0.000e+0"));
        }

        AnsiConsole.Write(table);
        if (Tensors.Any(t => t.Weighted))
            Console.WriteLine("* errors weighted by the importance matrix");
        var kept = Tensors.Count(t => t.From == t.To);
        var types = string.Join(", ", Tensors.GroupBy(t => t.To).OrderByDescending(g => g.Sum(t => t.BytesAfter)).Select(g => $"{g.Count()} {g.Key}"));
        Console.WriteLine($"tensors: {types}; {kept} kept as they were");
        Console.WriteLine($"size: {Quantity.Bytes(BytesBefore)} → {Quantity.Bytes(BytesAfter)}, {Number(BitsPerWeight, "0.00")} bits per weight");
        if (Before is not null)
            Console.WriteLine($"before: {PerplexityCommand.Describe(Before)}");
        if (After is not null)
            Console.WriteLine($"after:  {PerplexityCommand.Describe(After)}");
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
