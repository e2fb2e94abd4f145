namespace Slm.Cli.Tests;

public sealed class QuantizeTests : IDisposable
{
    private static readonly string Model = SlmCommand.Data("llama-untied-f32.gguf");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_model_is_quantized_with_importances_and_the_report_says_what_it_cost()
    {
        var (text, matrix, output) = (Text(), Path.Combine(_folder.FullName, "m.gguf"), Path.Combine(_folder.FullName, "q.gguf"));
        var collected = (await SlmCommand.RunAsync("imatrix", Model, "--text", text, "--output", matrix, "--chunk", "32", "--json")).Json();
        Assert.True(collected.GetProperty("entries").GetInt32() >= 15);

        var report = (await SlmCommand.RunAsync("quantize", Model, output, "--type", "q4_0", "--imatrix", matrix, "--override", "attn_v=q8_0",
            "--text", text, "--chunk", "32", "--threads", "2", "--json")).Json();
        Assert.Equal("Q4_0", report.GetProperty("type").GetString());
        Assert.Equal(new FileInfo(output).Length, report.GetProperty("bytes_after").GetInt64());
        Assert.InRange(report.GetProperty("bits_per_weight").GetDouble(), 4.5, 8);
        var tensors = report.GetProperty("tensors").EnumerateArray().ToDictionary(t => t.GetProperty("name").GetString()!);
        Assert.Equal("Q8_0", tensors["blk.0.attn_v.weight"].GetProperty("to").GetString());
        Assert.Equal("Q4_0", tensors["blk.0.ffn_up.weight"].GetProperty("to").GetString());
        Assert.True(tensors["blk.0.ffn_up.weight"].GetProperty("importance").GetBoolean());
        Assert.InRange(tensors["blk.0.ffn_up.weight"].GetProperty("rmse").GetDouble(), 1e-9, tensors["blk.0.ffn_up.weight"].GetProperty("max_error").GetDouble());
        Assert.Equal("F32", tensors["output_norm.weight"].GetProperty("to").GetString());

        var before = (await SlmCommand.RunAsync("perplexity", "--model", Model, "--text", text, "--chunk", "32", "--json")).Json();
        var after = (await SlmCommand.RunAsync("perplexity", "--model", output, "--text", text, "--chunk", "32", "--json")).Json();
        Assert.Equal(before.GetRawText(), report.GetProperty("perplexity_before").GetRawText());
        Assert.Equal(after.GetRawText(), report.GetProperty("perplexity_after").GetRawText());
        Assert.NotEqual(before.GetProperty("perplexity").GetDouble(), after.GetProperty("perplexity").GetDouble());
    }

    [Fact]
    public async Task The_table_names_tensors_sizes_and_bits()
    {
        var result = await SlmCommand.RunAsync("quantize", Model, Path.Combine(_folder.FullName, "q.gguf"), "--type", "Q4_K_M");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("blk.0.attn_q.weight", result.Output, StringComparison.Ordinal);
        Assert.Contains("bits per weight", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'Q4_9' is not known. Supported: F32, F16", "--type", "Q4_9")]
    [InlineData("has no '='", "--type", "Q4_0", "--override", "attn_v")]
    [InlineData("'Q9' is no tensor type. Supported:", "--type", "Q4_0", "--override", "attn_v=Q9")]
    [InlineData("is no regular expression", "--type", "Q4_0", "--override", "a[=Q8_0")]
    [InlineData("does not exist", "--type", "Q4_0", "--imatrix", "/no-such-matrix.gguf")]
    public async Task What_cannot_be_done_is_explained_and_no_file_appears(string reason, params string[] options)
    {
        var output = Path.Combine(_folder.FullName, "q.gguf");
        var result = await SlmCommand.RunAsync(["quantize", Model, output, .. options]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public async Task A_model_is_not_written_over_itself_nor_quantized_twice()
    {
        var same = await SlmCommand.RunAsync("quantize", Model, Model, "--type", "Q4_0");
        Assert.Contains("is the input", same.Error, StringComparison.Ordinal);
        var twice = await SlmCommand.RunAsync("quantize", SlmCommand.Data("llama-q8_0.gguf"), Path.Combine(_folder.FullName, "q.gguf"), "--type", "Q4_0");
        Assert.Contains("--allow-requantize", twice.Error, StringComparison.Ordinal);
        Assert.Equal(1, twice.ExitCode);
    }

    private string Text()
    {
        var path = Path.Combine(_folder.FullName, "text.txt");
        File.WriteAllText(path, string.Join(' ', Enumerable.Range(1, 60).Select(i => $"Once upon a time there were {i} cats.")));
        return path;
    }
}
