namespace Slm.Cli.Tests;

/// <summary>Every mistake ends in one line on standard error, an exit code, and nothing on standard output.</summary>
public sealed class ErrorTests
{
    private static readonly string Model = SlmCommand.Data("llama-q8_0.gguf");

    public static TheoryData<int, string, string[]> Mistakes => new()
    {
        { 2, "command", [] },
        { 2, "'nosuch'", ["nosuch"] },
        { 2, "--model", ["generate", "--prompt", "x"] },
        { 2, "--prompt or --tokens", ["generate", "--model", Model] },
        { 2, "--prompt or --tokens", ["generate", "--model", Model, "--prompt", "x", "--tokens", "1"] },
        { 2, "--tokens: 'x'", ["logits", "--model", Model, "--tokens", "1,x", "--json"] },
        { 2, "--tokens: '-1'", ["logits", "--model", Model, "--tokens=-1", "--json"] },
        { 2, "--max-tokens: 'many' is not a whole number", ["generate", "--model", Model, "--prompt", "x", "--max-tokens", "many"] },
        { 2, "--temperature: 'hot' is not a number", ["generate", "--model", Model, "--prompt", "x", "--temperature", "hot"] },
        { 2, "--threads must be in 1 to 1024, but is 0", ["generate", "--model", Model, "--prompt", "x", "--threads", "0"] },
        { 2, "--endpoint: 'localhost'", ["models", "--endpoint", "localhost"] },
        { 2, "--message", ["chat", "--model", Model, "--json"] },
        { 2, "--endpoint", ["generate", "--model", "m", "--prompt", "x", "--threads", "2", "--endpoint", "http://127.0.0.1:1"] },
        { 2, "train", ["train"] },
        { 2, "--placement: stages is '0'", ["load", "m", "--placement", "stages=0"] },
        { 2, "--placement: 'x' is not known", ["load", "m", "--placement", "x"] },
        { 2, "--wire: 'f64' is not known", ["load", "m", "--wire", "f64"] },
        { 2, "--kv-cache: 'much' is no size", ["load", "m", "--kv-cache", "much"] },
        { 2, "SILO", ["drain"] },
        { 1, "--model: 'nosuch'", ["generate", "--model", "nosuch", "--prompt", "x", "--json"] },
        { 1, "is a folder", ["describe", "--model", Path.GetTempPath()] },
        { 1, "GGUF file", ["generate", "--model", SlmCommand.Data("llama-q8_0.json"), "--prompt", "x"] },
        { 1, "temperature must be in 0 to 100, but is -1", ["generate", "--model", Model, "--prompt", "x", "--temperature", "-1", "--json"] },
        { 1, "temperature must be in 0 to 100, but is NaN", ["generate", "--model", Model, "--prompt", "x", "--temperature", "NaN"] },
        { 1, "top_p must be above 0 and at most 1, but is 1.5", ["generate", "--model", Model, "--prompt", "x", "--top-p", "1.5"] },
        { 1, "max_tokens", ["generate", "--model", Model, "--prompt", "x", "--max-tokens", "0"] },
        { 1, "4000 at position 1 is outside the vocabulary of 384", ["logits", "--model", Model, "--tokens", "1,4000", "--json"] },
        { 1, "4000", ["generate", "--model", Model, "--tokens", "4000", "--json"] },
        { 1, "600 tokens are more than the context of 512", ["logits", "--model", Model, "--tokens", string.Join(',', Enumerable.Repeat(1, 600))] },
        { 1, "600 tokens, and with the answer it must fit in the context of 512", ["generate", "--model", Model, "--tokens", string.Join(',', Enumerable.Repeat(1, 600))] },
        { 1, "500 + 100 tokens are more than the context of 512", ["bench", "--model", Model, "--prompt-tokens", "500", "--gen-tokens", "100", "--json"] },
        { 1, "--stages: 3 is more than the model's 2 layers", ["logits", "--model", Model, "--tokens", "1", "--stages", "3"] },
        { 1, "no chat template", ["chat", "--model", Model, "--message", "hi", "--json"] },
        { 1, "--endpoint: no platform answers", ["models", "--endpoint", "http://127.0.0.1:1", "--json"] },
        { 1, "--endpoint: no platform answers", ["silos", "--endpoint", "http://127.0.0.1:1", "--json"] },
        { 1, "--endpoint: no platform answers", ["generate", "--model", "m", "--prompt", "x", "--endpoint", "http://127.0.0.1:1"] },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task A_mistake_is_named_in_one_line(int exitCode, string expected, string[] arguments)
    {
        var result = await SlmCommand.RunAsync(arguments);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.StartsWith("slm: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task A_truncated_file_is_named_with_what_is_wrong()
    {
        var path = Path.Combine(Path.GetTempPath(), $"slm-truncated-{Guid.NewGuid():N}.gguf");
        await File.WriteAllBytesAsync(path, (await File.ReadAllBytesAsync(Model, TestContext.Current.CancellationToken))[..20_000], TestContext.Current.CancellationToken);
        try
        {
            var result = await SlmCommand.RunAsync("describe", "--model", path);
            Assert.Equal(1, result.ExitCode);
            Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
            Assert.Contains(Path.GetFileName(path), result.Error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task Help_goes_to_standard_output()
    {
        var result = await SlmCommand.RunAsync("generate", "--help");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("--temperature", result.Output, StringComparison.Ordinal);
        Assert.Equal("", result.Error);
    }
}
